"""What a deployment consists of beside the service: nginx, containers, blueprints."""

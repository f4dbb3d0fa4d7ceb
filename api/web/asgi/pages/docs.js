window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: false,
    // Cookie routes accept a request of this page because it names its own origin.
    requestInterceptor: (request) => ({ ...request, credentials: "same-origin" }),
  });
};

"""Changes that a contract may go through, and which of them can break a program that works today."""

from __future__ import annotations

from typing import Any

from tests.contract.edits import Edit, add, copied, drop, every, put, remove

Json = dict[str, Any]

POSTS, POST = "paths#/posts", "paths#/posts/{id}"
SCHEMAS, PARAMETERS = "components#schemas", "components#parameters"
NEW_POST, ANSWERED_POST = f"{SCHEMAS}#PostCreate", f"{SCHEMAS}#Post"
CREATED = f"{POSTS}#post#responses#201"
TEXT = {"type": "string", "maxLength": 50, "description": "New."}
QUERY = {"name": "colour", "in": "query", "description": "New.", "schema": TEXT}
BEARER: Json = {"bearerAuth": []}
EXTRA = {"limit": 5, "window": 60, "by": "user", "when": "authenticated", "description": "New."}

BREAKING: dict[str, Edit] = {
    "an operation is removed": drop(f"{POST}#delete"),
    "a path is removed": drop("paths#/comments/{id}"),
    "an operation is renamed": put(f"{POST}#get#operationId", "show_post"),
    "the API moves": put("servers#0#url", "/api/v2"),
    "a success has another status": every(
        copied(CREATED, f"{POSTS}#post#responses#200"), drop(CREATED)
    ),
    "another success comes": copied(CREATED, f"{POSTS}#post#responses#202"),
    "a documented failure is removed": drop(f"{POST}#get#responses#404"),
    "an answer loses its body": drop(f"{CREATED}#content"),
    "an answer has another media type": put(
        f"{CREATED}#content", {"text/plain": {"schema": {"type": "string"}}}
    ),
    "a header of an answer is removed": drop(f"{CREATED}#headers#Location"),
    "a header of an answer may be missing": put(
        "components#headers#Location#required", value=False
    ),
    "a required property of an answer is removed": every(
        drop(f"{ANSWERED_POST}#properties#comment_count"),
        remove(f"{ANSWERED_POST}#required", "comment_count"),
    ),
    "an optional property of an answer is removed": drop(f"{SCHEMAS}#User#properties#email"),
    "a property of an answer may be missing": remove(f"{ANSWERED_POST}#required", "author"),
    "a property of an answer may be null": put(
        f"{ANSWERED_POST}#properties#is_published#nullable", value=True
    ),
    "a property of an answer has another type": put(
        f"{ANSWERED_POST}#properties#comment_count#type", "string"
    ),
    "a property of an answer has another format": put(f"{SCHEMAS}#Timestamp#format", "date"),
    "items of an answer have another type": put(
        f"{SCHEMAS}#PostPage#properties#items#items", {"type": "string", "maxLength": 36}
    ),
    "an enum of an answer grows": add(f"{SCHEMAS}#AccountStatus#enum", "sleeping"),
    "an enum of a request shrinks": remove(f"{PARAMETERS}#PostSort#schema#enum", "relevance"),
    "an enum begins in a request": put(f"{PARAMETERS}#SearchQuery#schema#enum", ["yard"]),
    "a parameter is removed": drop(f"{POSTS}#get#parameters#0"),
    "a parameter becomes required": put(f"{PARAMETERS}#Size#required", value=True),
    "a required parameter comes": add(f"{POSTS}#get#parameters", QUERY | {"required": True}),
    "a parameter moves": put(f"{PARAMETERS}#RequestedWith#in", "query"),
    "a parameter has another type": put(f"{PARAMETERS}#IsPublished#schema", TEXT),
    "a parameter has another default": put(f"{PARAMETERS}#Size#schema#default", 50),
    "a parameter takes less": put(f"{PARAMETERS}#Size#schema#maximum", 50),
    "a required property of a request comes": every(
        put(f"{NEW_POST}#properties#colour", TEXT), add(f"{NEW_POST}#required", "colour")
    ),
    "a property of a request becomes required": add(f"{NEW_POST}#required", "is_published"),
    "a property of a request is removed": drop(f"{NEW_POST}#properties#is_published"),
    "a property of a request has another type": put(
        f"{NEW_POST}#properties#is_published#type", "string"
    ),
    "a property of a request may no longer be null": drop(f"{SCHEMAS}#Bio#nullable"),
    "maxLength is lowered": put(f"{SCHEMAS}#Title#maxLength", 100),
    "maxLength begins": put(f"{NEW_POST}#properties#is_published#maxLength", 5),
    "minLength is raised": put(f"{SCHEMAS}#Title#minLength", 2),
    "a pattern is another": put(f"{SCHEMAS}#Title#pattern", "^[a-z]+$"),
    "a request may not be something": put(f"{SCHEMAS}#Title#not", {"enum": ["yard"]}),
    "a pattern of an answer is another": put(
        f"{SCHEMAS}#NewApiKey#properties#key#pattern", "^k_[a-z]+$"
    ),
    "a list of an answer may repeat": drop(f"{SCHEMAS}#KeyScopes#uniqueItems"),
    "minProperties begins in a request": put(f"{SCHEMAS}#PostPatch#minProperties", 1),
    "maxProperties begins in a request": put(f"{NEW_POST}#maxProperties", 2),
    "a lowest value is excluded": put(f"{PARAMETERS}#Page#schema#exclusiveMinimum", value=True),
    "a highest value is excluded": put(f"{PARAMETERS}#Size#schema#exclusiveMaximum", value=True),
    "a property of a request is for answers only": put(
        f"{NEW_POST}#properties#is_published#readOnly", value=True
    ),
    "a property of an answer is for requests only": put(
        f"{ANSWERED_POST}#properties#is_published#writeOnly", value=True
    ),
    "a default begins": put(f"{PARAMETERS}#SearchQuery#schema#default", "yard"),
    "an enum with null begins in a request": every(
        put(f"{SCHEMAS}#Bio#enum", [None, "yard"]),
    ),
    "an enum of an answer says that it grows": put(f"{SCHEMAS}#AccountStatus#x-grows", value=True),
    "values of a map in an answer are of any type": put(
        f"{SCHEMAS}#ErrorDetails#additionalProperties", value=True
    ),
    "a map in an answer is none any more": put(
        f"{SCHEMAS}#ErrorDetails#additionalProperties", value=False
    ),
    "a schema has a word that the rules do not know": put(f"{SCHEMAS}#Title#x-trimmed", value=True),
    "an answer has a word that the rules do not know": put(
        f"{ANSWERED_POST}#properties#is_published#x-inverted", value=True
    ),
    "a list in a query is written another way": put(
        f"{PARAMETERS}#PostSort#style", "pipeDelimited"
    ),
    "an error code is gone": every(
        drop(f"{SCHEMAS}#ErrorCode#x-errors#EMAIL_TAKEN"),
        remove(f"{SCHEMAS}#ErrorCode#enum", "EMAIL_TAKEN"),
    ),
    "an error code has another status": put(
        f"{SCHEMAS}#ErrorCode#x-errors#EMAIL_TAKEN#status", 422
    ),
    "a path parameter is called another name": every(
        copied("paths#/comments/{id}", "paths#/comments/{comment_id}"),
        drop("paths#/comments/{id}"),
    ),
    "a request needs a body": put(
        f"{POST}#delete#requestBody",
        {"required": True, "content": {"application/json": {"schema": TEXT}}},
    ),
    "a request takes no body any more": drop(f"{POSTS}#post#requestBody"),
    "a request has another media type": put(
        f"{POSTS}#post#requestBody#content", {"application/xml": {"schema": TEXT}}
    ),
    "a login is demanded": put(f"{POSTS}#get#security", [BEARER]),
    "a second credential is demanded": put(
        f"{POSTS}#post#security", [BEARER | {"refreshCookie": []}]
    ),
    "a credential counts no more": put("security", [{"refreshCookie": []}]),
    "a credential has another name": put("components#securitySchemes#refreshCookie#name", "sid"),
    "a higher role is demanded": put(f"{POSTS}#post#x-policy#role", "moderator"),
    "another scope is demanded": put(f"{POSTS}#get#x-policy#scope", "write"),
    "an operation is closed to API keys": drop(f"{POSTS}#get#x-policy#scope"),
    "a rate limit is lowered": put("x-rate-limits#write#limit", 10),
    "a rate limit lasts longer": put("x-rate-limits#write#window", 600),
    "a rate limit counts others": put("x-rate-limits#login#by", "user"),
    "a rate limit allows less over time": every(
        put("x-rate-limits#write#limit", 40), put("x-rate-limits#write#window", 90)
    ),
    "an operation is charged more": add(f"{POST}#get#x-policy#rate_limit", "write"),
    "an operation is charged to a new limit": every(
        put("x-rate-limits#extra", EXTRA), add(f"{POST}#get#x-policy#rate_limit", "extra")
    ),
}

HARMLESS: dict[str, Edit] = {
    "an operation comes": every(
        copied(POST, "paths#/yards/{id}"),
        drop("paths#/yards/{id}#patch"),
        drop("paths#/yards/{id}#delete"),
        put("paths#/yards/{id}#get#operationId", "get_yard"),
    ),
    "a method comes": every(
        copied(f"{POST}#patch", f"{POST}#put"), put(f"{POST}#put#operationId", "replace_post")
    ),
    "an optional parameter comes": add(f"{POSTS}#get#parameters", QUERY),
    "a parameter becomes optional": put(f"{PARAMETERS}#UserId#required", value=False),
    "a parameter takes more": put(f"{PARAMETERS}#Size#schema#maximum", 200),
    "an optional property of a request comes": put(f"{NEW_POST}#properties#colour", TEXT),
    "a property of a request becomes optional": remove(f"{NEW_POST}#required", "body"),
    "a property of a request may be null": put(
        f"{NEW_POST}#properties#is_published#nullable", value=True
    ),
    "an enum of a request grows": add(f"{PARAMETERS}#PostSort#schema#enum", "title"),
    "maxLength is raised": put(f"{SCHEMAS}#Title#maxLength", 300),
    "a pattern goes": drop(f"{SCHEMAS}#Title#pattern"),
    "a property of an answer comes": every(
        put(f"{ANSWERED_POST}#properties#colour", TEXT), add(f"{ANSWERED_POST}#required", "colour")
    ),
    "an optional property of an answer comes": put(f"{ANSWERED_POST}#properties#colour", TEXT),
    "a property of an answer is always there": add(f"{SCHEMAS}#AuditDetails#required", "event"),
    "a property of an answer is never null": drop(
        f"{ANSWERED_POST}#properties#published_at#nullable"
    ),
    "an enum of an answer shrinks": remove(
        f"{SCHEMAS}#AuditDetails#properties#event#enum", "unblock"
    ),
    "an enum of an answer grows that says so": add(f"{SCHEMAS}#ErrorCode#enum", "TEAPOT"),
    "links come": put(f"{CREATED}#links#x", {"operationId": "get_me"}),
    "a failure comes": copied(f"{POST}#get#responses#404", f"{POST}#get#responses#410"),
    "a header of an answer comes": copied("components#headers#ETag", f"{CREATED}#headers#ETag"),
    "a description changes": every(
        put(f"{POSTS}#get#description", "Other words."),
        put(f"{SCHEMAS}#Title#description", "Other words."),
        put("info#description", "Other words."),
    ),
    "an example changes": put(f"{SCHEMAS}#Title#example", "Another"),
    "a tag comes": add("tags", {"name": "Yard", "description": "New."}),
    "a login is no longer demanded": put(f"{POSTS}#post#security", [BEARER, {}]),
    "another credential counts": add(f"{POSTS}#post#security", {"refreshCookie": []}),
    "a lower role is enough": put("paths#/admin/users#get#x-policy#role", "moderator"),
    "an operation opens to API keys": put("paths#/auth/logout#post#x-policy#scope", "write"),
    "a rate limit is raised": put("x-rate-limits#write#limit", 60),
    "a rate limit lasts longer and gives as much more": every(
        put("x-rate-limits#write#limit", 60), put("x-rate-limits#write#window", 120)
    ),
    "a request takes numbers instead of integers": put(f"{PARAMETERS}#Size#schema#type", "number"),
    "a request takes larger integers": put(f"{PARAMETERS}#Size#schema#format", "int64"),
    "a lowest value is said not to be excluded": put(
        f"{PARAMETERS}#Page#schema#exclusiveMinimum", value=False
    ),
    "a style is named that was understood": every(
        put(f"{PARAMETERS}#PostSort#style", "form"),
        put(f"{PARAMETERS}#PostSort#explode", value=True),
    ),
    "an answer opens": put(f"{ANSWERED_POST}#additionalProperties", value=True),
    "a property of a request is for requests only": put(
        f"{NEW_POST}#properties#is_published#writeOnly", value=True
    ),
    "the remedy of an error changes": put(
        f"{SCHEMAS}#ErrorCode#x-errors#EMAIL_TAKEN#remedy", "Other words."
    ),
    "a rate limit is shorter": put("x-rate-limits#write#window", 30),
    "an operation is charged less": remove(f"{POSTS}#post#x-policy#rate_limit", "write"),
    "an operation is charged to a limit of new callers": every(
        put("x-rate-limits#extra", EXTRA | {"when": "robots"}),
        add(f"{POST}#get#x-policy#rate_limit", "extra"),
    ),
    "a schema moves into the components": every(
        copied(f"{ANSWERED_POST}#properties#is_published", f"{SCHEMAS}#Flag"),
        put(f"{ANSWERED_POST}#properties#is_published", {"$ref": "#/components/schemas/Flag"}),
    ),
}

import { init } from "/docs/assets/redoc.standalone.js";

init("/openapi.json", {}, document.getElementById("redoc"));

// Scripts stand in files of their own: the page's Content-Security-Policy runs no other.
SwaggerUIBundle({ url: "../openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null });

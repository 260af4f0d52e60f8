// Runs before the scripts of a page and hides all of the server's media addresses from it, as a firewall
// that lets nothing but web pages through.
"use strict";

{
  const fetch = window.fetch.bind(window);
  window.fetch = async (...request) => {
    const response = await fetch(...request);
    if (response.headers.get("content-type") !== "application/sdp") {
      return response;
    }
    const lines = (await response.text()).split("\r\n");
    const kept = lines.filter((line) => !line.startsWith("a=candidate:"));
    return new Response(kept.join("\r\n"), response);
  };
}

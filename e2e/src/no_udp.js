// Runs before the scripts of a page and hides the server's UDP addresses from it, as a firewall would.
"use strict";

{
  const fetch = window.fetch.bind(window);
  window.fetch = async (...request) => {
    const response = await fetch(...request);
    if (response.headers.get("content-type") !== "application/sdp") {
      return response;
    }
    const lines = (await response.text()).split("\r\n");
    const kept = lines.filter((line) => !/^a=candidate:.* udp /i.test(line));
    return new Response(kept.join("\r\n"), response);
  };
}

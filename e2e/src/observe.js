// Runs before the scripts of a page and notes what tests want to know and a page does not show.
"use strict";

window.e2e = {
  peers: [], // every RTCPeerConnection
  tracks: [], // every track of camera and microphone
  hearts: 0, // hearts that ever floated up
  pageReady: null, // when the watch page was there, in ms since navigation
  firstFrame: null, // when a video showed its first frame, in ms since navigation
  violations: [], // what the Content-Security-Policy refused
};

document.addEventListener("securitypolicyviolation", (event) => {
  window.e2e.violations.push(
    `${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`,
  );
});

window.RTCPeerConnection = class extends window.RTCPeerConnection {
  constructor(...args) {
    super(...args);
    window.e2e.peers.push(this);
  }
};

if (navigator.mediaDevices) {
  const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await getUserMedia(constraints);
    window.e2e.tracks.push(...stream.getTracks());
    return stream;
  };
}

document.addEventListener("loadeddata", () => {
  window.e2e.firstFrame ??= performance.now();
}, true);

new MutationObserver((mutations) => {
  for (const { addedNodes } of mutations) {
    for (const node of addedNodes) {
      if (node instanceof Element) {
        window.e2e.hearts += node.querySelectorAll('[data-test="heart"]').length;
        window.e2e.hearts += node.matches('[data-test="heart"]') ? 1 : 0;
      }
    }
  }
  if (window.e2e.pageReady === null && document.querySelector('[data-test="watch"]')) {
    window.e2e.pageReady = performance.now();
  }
}).observe(document, { childList: true, subtree: true });

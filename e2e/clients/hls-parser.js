// Checks playlists by the rules of the draft: each comes in as a line of JSON, each verdict goes out as one.
//
// in   "#EXTM3U..."                           a playlist
// out  {"ok": true} or {"error": sentence}
"use strict";

const readline = require("node:readline");
const HLS = require("hls-parser");

HLS.setOptions({ strictMode: true });

function check(text) {
  try {
    HLS.parse(text);
    return { ok: true };
  } catch (error) {
    return { error: error.message };
  }
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(`${JSON.stringify(check(JSON.parse(line)))}\n`);
});

// A Socket.IO client as a process: commands come in and events go out as lines of JSON.
//
//   node socket-io.js <major version> <url> <transport>
//
// in   {"emit": [event, ...args]}             send an event
//      {"call": [event, ...args]}             send an event and report its acknowledgement
//      {"flood": [event, ...args], "times"}   send an event many times, with no pause
//      {"disconnect": true}
// out  {"event": name, "args": [...]}         connect, disconnect, connect_error and what the server sends
//      {"ack": [...]}                         answer to "call"
//      {"flooded": times}                     the last event of a flood was handed to the network
"use strict";

const readline = require("node:readline");

const EVENTS = ["comment", "gift", "upvote", "likes", "room", "notice"];

const [version, url, transport] = process.argv.slice(2);
const io = require(`socket.io-client-${version}`);
const socket = io(url, { transports: [transport], upgrade: false, reconnection: false });

function report(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

socket.on("connect", () => report({ event: "connect", args: [] }));
socket.on("connect_error", (error) => report({ event: "connect_error", args: [String(error)] }));
socket.on("disconnect", (reason) => report({ event: "disconnect", args: [reason] }));
for (const event of EVENTS) {
  socket.on(event, (...args) => report({ event, args }));
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  if (command.emit) {
    socket.emit(...command.emit);
  } else if (command.call) {
    socket.emit(...command.call, (...args) => report({ ack: args }));
  } else if (command.flood) {
    for (let i = 0; i < command.times; i += 1) {
      socket.emit(...command.flood);
    }
    report({ flooded: command.times });
  } else if (command.disconnect) {
    socket.disconnect();
  }
}).on("close", () => process.exit(0));

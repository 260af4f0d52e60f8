// Runs before the scripts of a page and replaces camera and microphone by a clock: the sound beeps at the
// beginning of every second, and a bar in the picture is as long as the second is old when it is drawn.
"use strict";

if (navigator.mediaDevices) {
  const RATE = 48_000;
  const clock = new AudioContext({ sampleRate: RATE });

  const beep = clock.createBuffer(1, RATE, RATE);
  beep.getChannelData(0).set(
    Float32Array.from({ length: RATE / 5 }, (_, n) => 0.7 * Math.sin((2 * Math.PI * 1_000 * n) / RATE)),
  );
  const source = new AudioBufferSourceNode(clock, { buffer: beep, loop: true });
  const microphone = clock.createMediaStreamDestination();
  source.connect(microphone);
  source.start(1);

  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  const paper = canvas.getContext("2d");
  const draw = () => {
    paper.fillStyle = "black";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.fillStyle = "white";
    paper.fillRect(0, 0, canvas.width * (clock.currentTime % 1), canvas.height);
    requestAnimationFrame(draw);
  };
  draw();

  navigator.mediaDevices.getUserMedia = async ({ video, audio }) =>
    new MediaStream([
      ...(video ? canvas.captureStream().getVideoTracks() : []),
      ...(audio ? microphone.stream.clone().getAudioTracks() : []),
    ]);
}

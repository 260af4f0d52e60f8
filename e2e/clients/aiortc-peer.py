"""A peer connection of aiortc as a process, ended by the end of its input.

  python aiortc-peer.py watch <WHEP endpoint>
  python aiortc-peer.py publish <WHIP endpoint> <stream key>

out  {"state": "connected"}       whenever the connection is in another state
     {"picture": [width, height]} a decoded picture
     {"sound": seconds}           some decoded sound that is not silence
"""

import asyncio
import json
import sys
import urllib.parse
import urllib.request

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack


def report(**what):
    print(json.dumps(what), flush=True)


def request(method, url, body=None, bearer=None):
    headers = {"Content-Type": "application/sdp"} if body else {}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    asked = urllib.request.Request(url, body and body.encode(), headers, method=method)
    with urllib.request.urlopen(asked) as answer:
        return answer.headers.get("Location"), answer.read().decode()


async def watch(track):
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if track.kind == "video":
            report(picture=[frame.width, frame.height])
        elif any(bytes(frame.planes[0])):
            report(sound=frame.samples / frame.sample_rate)


async def main(role, endpoint, bearer=None):
    peer = RTCPeerConnection()
    peer.on("connectionstatechange", lambda: report(state=peer.connectionState))
    watching = set()
    if role == "watch":
        peer.on("track", lambda track: watching.add(asyncio.ensure_future(watch(track))))
        peer.addTransceiver("video", direction="recvonly")
        peer.addTransceiver("audio", direction="recvonly")
    else:
        # A green picture and silence.
        peer.addTransceiver(VideoStreamTrack(), direction="sendonly")
        peer.addTransceiver(AudioStreamTrack(), direction="sendonly")
    await peer.setLocalDescription(await peer.createOffer())
    location, answer = await asyncio.to_thread(
        request, "POST", endpoint, peer.localDescription.sdp, bearer
    )
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    end = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, end.set)
    finished, _ = await asyncio.wait(
        [asyncio.ensure_future(end.wait()), *watching], return_when=asyncio.FIRST_COMPLETED
    )
    for task in finished:
        task.result()
    session = urllib.parse.urljoin(endpoint, location)
    await asyncio.to_thread(request, "DELETE", session, bearer=bearer)
    await peer.close()


asyncio.run(main(*sys.argv[1:]))

"""GStreamer's webrtcbin as a viewer, ended by the end of its input.

  python3 gstreamer-viewer.py <WHEP endpoint>

out  {"state": "connected"}       whenever the connection is in another state
     {"picture": [width, height]} a decoded picture
     {"sound": seconds}           some decoded sound that is not silence
"""

import json
import os
import sys
import threading
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

# As bare as what GStreamer's whepsrc asks for by itself.
RECEIVED = {
    "video": "encoding-name=H264,payload=102,clock-rate=90000",
    "audio": "encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2",
}


def report(**what):
    # In one piece: several threads report.
    os.write(1, f"{json.dumps(what)}\n".encode())


def request(method, url, body=None):
    headers = {"Content-Type": "application/sdp"} if body else {}
    asked = urllib.request.Request(url, body and body.encode(), headers, method=method)
    with urllib.request.urlopen(asked) as answer:
        return answer.headers.get("Location"), answer.read().decode()


def fail(*error):
    sys.__excepthook__(*error)
    os._exit(1)


class Viewer:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.location = None
        self.pipeline = Gst.Pipeline.new()
        self.bin = Gst.ElementFactory.make("webrtcbin")
        self.bin.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.bin)
        for media, caps in RECEIVED.items():
            self.bin.emit(
                "add-transceiver",
                GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
                Gst.Caps.from_string(f"application/x-rtp,media={media},{caps}"),
            )
        self.bin.connect("pad-added", self.on_pad)
        self.bin.connect("notify::connection-state", self.on_state)
        self.bin.connect("notify::ice-gathering-state", self.on_gathered)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.bin.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_state(self, webrtcbin, _):
        report(state=webrtcbin.get_property("connection-state").value_nick)

    def on_offer(self, promise):
        # The offer is the reply's, and ends with it.
        reply = promise.get_reply()
        self.bin.emit("set-local-description", reply.get_value("offer"), None)

    def on_gathered(self, webrtcbin, _):
        gathered = webrtcbin.get_property("ice-gathering-state")
        if gathered != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            return
        offer = webrtcbin.get_property("local-description").sdp.as_text()
        self.location, text = request("POST", self.endpoint, offer)
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        webrtcbin.emit("set-remote-description", answer, None)

    def on_pad(self, _, pad):
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", self.on_decoded)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def on_decoded(self, _, pad):
        sink = Gst.ElementFactory.make("fakesink")
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", on_buffer)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def stop(self):
        self.pipeline.set_state(Gst.State.NULL)
        request("DELETE", urllib.parse.urljoin(self.endpoint, self.location))


def on_buffer(_, buffer, pad):
    what = pad.get_current_caps().get_structure(0)
    if what.get_name() == "video/x-raw":
        report(picture=[what.get_value("width"), what.get_value("height")])
    elif any(buffer.extract_dup(0, buffer.get_size())):
        report(sound=buffer.duration / Gst.SECOND)


# What fails in a callback would only be printed.
sys.excepthook = fail
Gst.init(None)
loop = GLib.MainLoop()
viewer = Viewer(sys.argv[1])
threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
loop.run()
viewer.stop()

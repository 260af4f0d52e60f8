//! A typed handle on socket.io-client.

use std::cell::RefCell;

use leptos::logging::warn;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::events::{Ack, Refusal};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(inline_js = "
// Loaded when first needed: the page draws before it is there.
export async function openSocket() {
    const { io } = await import('/vendor/socket.io-4.8.4/socket.io.esm.min.js');
    return io({ transports: ['websocket', 'polling'], tryAllTransports: true, forceNew: true });
}
export function ask(socket, event, payload, timeout) {
    const args = payload === undefined ? [] : [payload];
    return socket.timeout(timeout).emitWithAck(event, ...args);
}
")]
extern "C" {
    type RawSocket;

    #[wasm_bindgen(js_name = openSocket, catch)]
    async fn open_socket() -> Result<JsValue, JsValue>;
    #[wasm_bindgen]
    fn ask(socket: &RawSocket, event: &str, payload: JsValue, timeout_ms: u32) -> js_sys::Promise;

    #[wasm_bindgen(method)]
    fn on(this: &RawSocket, event: &str, listener: &JsValue);
    #[wasm_bindgen(method, js_name = removeAllListeners)]
    fn remove_all_listeners(this: &RawSocket);
    #[wasm_bindgen(method)]
    fn disconnect(this: &RawSocket);
    #[wasm_bindgen(method, getter)]
    fn connected(this: &RawSocket) -> bool;
}

/// How long to wait for an acknowledgement, in milliseconds.
const ACK_TIMEOUT_MS: u32 = 8_000;

type Listener = Closure<dyn FnMut(JsValue)>;

/// A connection that comes back by itself (with jittered back-off) until it is dropped.
pub(super) struct Socket {
    raw: RawSocket,
    listeners: RefCell<Vec<Listener>>,
}

impl Socket {
    /// Loads the client and starts to connect.
    ///
    /// # Errors
    /// When the client cannot be loaded.
    pub(super) async fn open() -> Result<Self, JsValue> {
        let raw = open_socket().await?.unchecked_into();
        Ok(Self {
            raw,
            listeners: RefCell::default(),
        })
    }

    /// Whether there is a connection now.
    pub(super) fn connected(&self) -> bool {
        self.raw.connected()
    }

    /// Calls `listener` on each `event` whose payload is a `T`; others are reported to the console.
    pub(super) fn on<T: DeserializeOwned + 'static>(
        &self,
        event: &'static str,
        mut listener: impl FnMut(T) + 'static,
    ) {
        self.on_raw(event, move |payload| {
            match serde_wasm_bindgen::from_value(payload) {
                Ok(payload) => listener(payload),
                Err(error) => warn!("event {event} has another shape: {error}"),
            }
        });
    }

    /// Calls `listener` each time the connection is there (again).
    pub(super) fn on_connect(&self, mut listener: impl FnMut() + 'static) {
        self.on_raw("connect", move |_| listener());
    }

    /// Calls `listener` each time the connection is lost.
    pub(super) fn on_disconnect(&self, mut listener: impl FnMut() + 'static) {
        self.on_raw("disconnect", move |_| listener());
    }

    fn on_raw(&self, event: &str, listener: impl FnMut(JsValue) + 'static) {
        let listener = Closure::new(listener);
        self.raw.on(event, listener.as_ref());
        self.listeners.borrow_mut().push(listener);
    }

    /// Sends `event` and waits for its acknowledgement. The future borrows nothing.
    pub(super) fn ask<T, R>(
        &self,
        event: &str,
        payload: Option<&T>,
    ) -> impl Future<Output = Result<R, Refusal>> + use<T, R>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        let payload = payload.map_or(JsValue::UNDEFINED, to_js);
        let reply = ask(&self.raw, event, payload, ACK_TIMEOUT_MS);
        async move {
            let reply = JsFuture::from(reply).await.map_err(|_| Refusal {
                error: "The server did not answer: please try again.".into(),
                retry_after_ms: None,
            })?;
            match serde_wasm_bindgen::from_value::<Ack<R>>(reply) {
                Ok(ack) => ack.into_result(),
                Err(error) => {
                    warn!("an acknowledgement has another shape: {error}");
                    Err(Refusal {
                        error: "The server's answer is not understood: please reload the page."
                            .into(),
                        retry_after_ms: None,
                    })
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.raw.remove_all_listeners();
        self.raw.disconnect();
    }
}

fn to_js<T: Serialize>(payload: &T) -> JsValue {
    // Plain objects and numbers: socket.io-client sends maps and big integers as something else.
    payload
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .unwrap_or(JsValue::UNDEFINED)
}

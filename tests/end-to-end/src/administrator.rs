//! The people who run Stint, and CloudFormation, which they have at work for them.

use axum::Router;
use axum::extract::State;
use axum::routing::put;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Stint;

impl Stint {
    /// Invokes `deescalation` with `event`, as an administrator of AWS can; its answer.
    ///
    /// # Errors
    ///
    /// What went wrong in the function.
    pub async fn invoke(&self, event: Value) -> Result<Value, String> {
        let asked = json!({"function": "deescalation", "event": event});
        let mut answered = self.post("invoke", asked).await;
        match answered["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answered["answer"].take()),
        }
    }

    /// The same asynchronously, as AWS itself invokes functions: nobody waits for the answer, and what
    /// fails is tried again.
    pub async fn wake(&self, event: Value) {
        let asked = json!({"function": "deescalation", "event": event, "wait": false});
        self.post("invoke", asked).await;
    }

    /// What comes of `work`, which may wait for moments that come only if time goes on.
    pub async fn while_time_goes_on<T>(&self, work: impl Future<Output = T>) -> T {
        let time = async {
            loop {
                self.advance(1).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = time => unreachable!("time goes on for good"),
        }
    }
}

/// Asks `deescalation` before it changes the stack.
pub struct CloudFormation {
    url: String,
    heard: UnboundedReceiver<Value>,
}

impl CloudFormation {
    /// One that nobody has answered yet.
    pub async fn start() -> Self {
        async fn hear(State(heard): State<UnboundedSender<Value>>, body: String) {
            let body = serde_json::from_str(&body).expect("JSON");
            heard.send(body).expect("somebody listens");
        }
        let (tell, heard) = unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/answer", listener.local_addr().expect("one"));
        let router = Router::new().route("/answer", put(hear)).with_state(tell);
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, heard }
    }

    /// What it says when `what` becomes of the stack: `Create`, `Update` or `Delete`.
    #[must_use]
    pub fn event(&self, what: &str) -> Value {
        json!({
            "RequestType": what, "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:x",
            "ResponseURL": self.url, "StackId": "arn:aws:cloudformation:us-east-1:1:stack/stint/1",
            "RequestId": "1", "ResourceType": "Custom::NobodyHeldIn",
            "LogicalResourceId": "NobodyHeldIn", "PhysicalResourceId": "nobody-held-in",
            "ResourceProperties": {}, "OldResourceProperties": {},
        })
    }

    /// The first answer that it has not heard yet, if there is one.
    pub fn heard(&mut self) -> Option<Value> {
        self.heard.try_recv().ok()
    }

    /// Says that `what` becomes of the stack; what it is answered.
    pub async fn ask(&mut self, stint: &Stint, what: &str) -> Value {
        let asked = stint.invoke(self.event(what));
        let answer = stint.while_time_goes_on(asked).await;
        assert_eq!(answer, Ok(Value::Null));
        self.heard.recv().await.expect("an answer")
    }
}

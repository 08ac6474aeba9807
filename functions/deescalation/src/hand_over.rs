//! Hands a membership over for good, for the people who run Stint: the user stays in the group, and Stint
//! does not take them out any more.

use access::{Event, HandOver, Refusal, RequestId};
use drive::{Error, Subject};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Deps, known};

/// The most characters that a name or a reason has.
const LONGEST: usize = 200;

/// Which membership is to be handed over:
/// `{"hand_over":{"request":"…","by":"jane@example.com","reason":"…"}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    request: RequestId,
    to: HandOver,
}

/// What `event` asks for, if it asks for that in this version; what is wrong with it, if anything is.
pub(crate) fn read(event: &Value) -> Option<Result<Asked, String>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        /// May be left out: people type this. It was looked at before.
        #[serde(default, rename = "v")]
        _v: u32,
        hand_over: Named,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        request: RequestId,
        by: String,
        reason: String,
    }
    event.get("hand_over")?;
    if event.get("v").is_some_and(|v| *v != known()) {
        return None;
    }
    let written = match Written::deserialize(event) {
        Ok(written) => written,
        Err(error) => return Some(Err(error.to_string())),
    };
    let Named {
        request,
        by,
        reason,
    } = written.hand_over;
    let said = |name: &str, text: &str| match text.trim() {
        "" => Err(format!("`{name}` is empty")),
        text if text.chars().count() > LONGEST => {
            Err(format!("`{name}` has more than {LONGEST} characters"))
        }
        text => Ok(text.to_owned()),
    };
    let to = said("by", &by).and_then(|by| {
        let reason = said("reason", &reason)?;
        Ok(HandOver { by, reason })
    });
    Some(to.map(|to| Asked { request, to }))
}

/// Hands over what was `asked`, if nothing stands in the way; the answer says what became of it.
///
/// # Errors
///
/// What AWS could not do.
pub(crate) async fn hand_over(deps: &Deps, asked: Result<Asked, String>) -> Result<Value, Error> {
    let refused = |why: String| {
        tracing::warn!(why, "nothing is handed over: {why}");
        Ok(json!({ "refused": format!("{why}: nothing was changed") }))
    };
    let tools = &deps.tools;
    let Asked { request: id, to } = match asked {
        Ok(asked) => asked,
        Err(why) => return refused(why),
    };
    let loaded = tools.load(&Subject::Grant(id.clone())).await?;
    let Some(key) = loaded.request.as_ref().map(access::Request::membership) else {
        return refused(format!("there is no request `{id}`"));
    };
    let done = match tools.decide(loaded, &Event::HandOver(to.clone())).await {
        Ok(done) => done,
        Err(Error::Refused { refusal, .. }) => {
            return refused(match refusal {
                Refusal::MovedOn(state) => format!("the request is {}, not active", state.as_str()),
                refusal => refusal.to_string(),
            });
        }
        Err(Error::Aws(aws::Error::Moved)) => {
            return refused("the request moved while it was read, ask again".to_owned());
        }
        Err(error) => return Err(error),
    };
    let HandOver { by, reason } = &to;
    tracing::warn!(request = %id, by, reason, "request {id} is handed over by {by}: {reason}");
    tools.carry_out(&done).await;
    tools.show(&id, done.ours()).await;
    let (user, group) = key.map(|key| (key.user, key.group)).unzip();
    Ok(json!({ "handed_over": id, "okta_user": user, "group_id": group }))
}

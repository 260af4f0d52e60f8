//! Where a client wants to go, out of the URLs and names it gives.

use super::event::Presented;

/// Where a client connected to.
pub(super) struct Connection {
    pub(super) app: String,
    pub(super) tc_url: String,
    /// The secret behind the application or the URL.
    secret: Option<Presented>,
}

/// A stream's name, taken apart.
pub(super) struct Target {
    pub(super) app: String,
    pub(super) key: String,
    pub(super) secret: Option<Presented>,
}

impl Connection {
    pub(super) fn new(app: &str, tc_url: &str) -> Self {
        let (app, app_secret) = split_query(app);
        let (tc_url, url_secret) = split_query(tc_url);
        Self {
            app: app.trim_matches('/').to_owned(),
            tc_url: tc_url.to_owned(),
            secret: app_secret.or(url_secret),
        }
    }

    /// What `name` means here. Without a name the last part of the application is it: some encoders have
    /// one field for the whole URL.
    pub(super) fn target(&self, name: &str) -> Target {
        let (key, secret) = split_query(name);
        let (app, key) = match self.app.rsplit_once('/') {
            Some((app, last)) if key.is_empty() => (app, last),
            _ => (self.app.as_str(), key),
        };
        Target {
            app: app.to_owned(),
            key: key.to_owned(),
            secret: secret.or_else(|| self.secret.clone()),
        }
    }
}

/// Cuts off the query, and looks into it for `key=…`.
fn split_query(text: &str) -> (&str, Option<Presented>) {
    let Some((name, query)) = text.split_once('?') else {
        return (text, None);
    };
    let secret = query.split('&').find_map(|pair| pair.strip_prefix("key="));
    (
        name,
        secret
            .filter(|secret| !secret.is_empty())
            .map(Presented::from),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(app: &str, tc_url: &str, name: &str) -> (String, String, Option<String>) {
        let target = Connection::new(app, tc_url).target(name);
        let secret = target.secret.map(|secret| secret.reveal().to_owned());
        (target.app, target.key, secret)
    }

    fn expected(secret: Option<&str>) -> (String, String, Option<String>) {
        (
            "live".to_owned(),
            "room".to_owned(),
            secret.map(str::to_owned),
        )
    }

    #[test]
    fn the_secret_may_stand_behind_the_name_the_application_or_the_url() {
        assert_eq!(target("live", "", "room?key=s"), expected(Some("s")));
        assert_eq!(target("live?key=s", "", "room"), expected(Some("s")));
        assert_eq!(
            target("live", "rtmp://h/live?a=b&key=s", "room"),
            expected(Some("s"))
        );
        assert_eq!(
            target("live?key=t", "", "room?a&key=s&b"),
            expected(Some("s"))
        );
    }

    #[test]
    fn without_a_secret_there_is_none() {
        assert_eq!(target("live/", "", "room"), expected(None));
        assert_eq!(target("live", "", "room?monkey=s&key="), expected(None));
    }

    #[test]
    fn without_a_name_the_room_is_the_last_part_of_the_application() {
        assert_eq!(target("live/room", "", ""), expected(None));
        assert_eq!(target("live/room?key=s", "", ""), expected(Some("s")));
    }

    #[test]
    fn the_url_is_kept_without_its_secret() {
        let connection = Connection::new("live", "rtmp://h/live?key=s");
        assert_eq!(connection.tc_url, "rtmp://h/live");
    }
}

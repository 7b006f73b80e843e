//! A read as an API server answers it that is behind: what it asks for instead, and what that answer means. Pure.

use serde_json::Value;

use super::wire::{Request, body, found, refusal};

/// What a server that is not behind is asked instead: a list, as it was at a version.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) instead: Request,
    /// It was asked for one object.
    one: bool,
}

impl Past {
    /// `None`: the request has the newest state, or nothing of that version would do.
    pub(super) fn of(request: &Request, version: u64) -> Option<Self> {
        let (path, query) = (request.path(), request.query());
        let value = |name: &str| query.iter().find_map(|(known, value)| (*known == name).then_some(*value));
        let oldest: u64 = value("resourceVersion")?.parse().ok()?;
        let newer = oldest > version || value("resourceVersionMatch") == Some("Exact");
        if request.method != "GET" || request.is_watch() || newer {
            return None;
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let rest = parts.get(if parts.first() == Some(&"api") { 2 } else { 3 }..)?;
        let within = if rest.first() == Some(&"namespaces") && rest.len() > 2 { &rest[2..] } else { rest };
        let (list, name) = match within {
            [_] => (path, None),
            [_, name] => (path.strip_suffix(&format!("/{name}"))?, Some(*name)),
            _ => return None,
        };
        let others = query.iter().filter(|(name, _)| !["resourceVersion", "resourceVersionMatch"].contains(name));
        let mut asked: Vec<String> = others.map(|(name, value)| format!("{name}={value}")).collect();
        asked.push(format!("resourceVersion={version}&resourceVersionMatch=Exact"));
        asked.extend(name.map(|name| format!("fieldSelector=metadata.name%3D{name}")));
        Some(Self { instead: request.to(format!("{list}?{}", asked.join("&"))), one: name.is_some() })
    }

    /// The answer to the request, from that to the other one.
    pub(super) fn read(&self, answer: Vec<u8>) -> Vec<u8> {
        let list: Value = match serde_json::from_slice(body(&answer)) {
            Ok(list) if self.one => list,
            Ok(_) | Err(_) => return answer,
        };
        match list["items"].as_array().map(Vec::as_slice) {
            Some([object, ..]) => found(object),
            Some([]) => refusal(404, "NotFound", ""),
            None => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::read;
    use super::*;

    async fn asked(request: &str) -> Option<(String, bool)> {
        let bytes = format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes();
        let request = read(&mut std::io::Cursor::new(bytes)).await.unwrap().unwrap();
        let past = Past::of(&request, 7)?;
        let sent = String::from_utf8(past.instead.bytes()).unwrap();
        Some((sent.split(' ').nth(1).unwrap_or_default().to_owned(), past.one))
    }

    #[tokio::test]
    async fn only_a_read_that_allows_an_old_answer_is_answered_from_the_past() {
        const EXACT: &str = "resourceVersion=7&resourceVersionMatch=Exact";
        #[rustfmt::skip]
        let rows = [
            ("GET /api/v1/pods?limit=5&resourceVersion=0",                     Some((format!("/api/v1/pods?limit=5&{EXACT}"), false))),
            ("GET /api/v1/pods?resourceVersion=6&resourceVersionMatch=NotOlderThan", Some((format!("/api/v1/pods?{EXACT}"), false))),
            ("GET /apis/g/v1/namespaces/a/vms?resourceVersion=0",              Some((format!("/apis/g/v1/namespaces/a/vms?{EXACT}"), false))),
            ("GET /apis/g/v1/namespaces/a/vms/b?resourceVersion=0",            Some((format!("/apis/g/v1/namespaces/a/vms?{EXACT}&fieldSelector=metadata.name%3Db"), true))),
            ("GET /api/v1/namespaces/a?resourceVersion=0",                     Some((format!("/api/v1/namespaces?{EXACT}&fieldSelector=metadata.name%3Da"), true))),
            ("GET /api/v1/pods?limit=5",                                       None),
            ("GET /api/v1/pods?resourceVersion=8",                             None),
            ("GET /api/v1/pods?resourceVersion=6&resourceVersionMatch=Exact",  None),
            ("GET /api/v1/pods?watch=true&resourceVersion=6",                  None),
            ("PATCH /api/v1/pods?resourceVersion=0",                           None),
            ("GET /version?resourceVersion=0",                                 None),
        ];
        for (request, wanted) in rows {
            assert_eq!(asked(request).await, wanted, "{request}");
        }
    }

    #[tokio::test]
    async fn one_object_is_found_in_its_list_or_is_not_there() {
        let bytes = b"GET /api/v1/namespaces/a/pods/b?resourceVersion=0 HTTP/1.1\r\n\r\n".to_vec();
        let request = read(&mut std::io::Cursor::new(bytes)).await.unwrap().unwrap();
        let past = Past::of(&request, 7).unwrap();
        let answer = |list: &str| {
            let read = past.read(found(&serde_json::from_str(list).unwrap()));
            (super::super::wire::status_of(&read), String::from_utf8(body(&read).to_vec()).unwrap())
        };
        assert_eq!(answer(r#"{"items": [{"kind": "Pod"}]}"#), (200, r#"{"kind":"Pod"}"#.to_owned()));
        assert_eq!(answer(r#"{"items": []}"#).0, 404);
        assert_eq!(answer(r#"{"kind": "Status"}"#), (200, r#"{"kind":"Status"}"#.to_owned()), "as it came");
    }
}

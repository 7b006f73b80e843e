//! A list comes in pages, each a request of its own, and kube's watcher follows them for ever. No I/O.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::Uri;
use tokio::time::Instant;

use super::bounds::{Bounds, Deadline};

/// The list that was asked for last, by path. Locked for moments only, never across an await.
#[derive(Debug, Default)]
pub(super) struct Lists(Mutex<HashMap<String, List>>);

#[derive(Debug)]
struct List {
    began: Instant,
    pages: usize,
    /// Objects in a page: fewer than were asked for, where so many did not fit into an answer.
    size: usize,
    /// Whether that happened since the list began.
    shrunk: bool,
}

/// A page that is being read.
#[derive(Debug)]
pub(super) struct Page {
    lists: Arc<Lists>,
    path: String,
    /// When its list has to be complete.
    pub(super) deadline: Deadline,
}

impl Lists {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, List>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a request, if it is for a page, and makes that smaller where it has to be.
    pub(super) fn ask(self: &Arc<Self>, uri: &mut Uri, bounds: &Bounds, now: Instant) -> Result<Option<Page>, String> {
        let parameter = |name: &str| uri.query()?.split('&').find_map(|it| it.strip_prefix(name));
        let Some(asked) = parameter("limit=").and_then(|limit| limit.parse().ok()) else { return Ok(None) };
        let path = uri.path().to_owned();
        let mut lists = self.lock();
        let list = lists.entry(path.clone()).or_insert(List { began: now, pages: 0, size: asked, shrunk: false });
        if parameter("continue=").is_none() {
            (list.began, list.pages) = (now, 0);
            // Where the last list fitted, so may larger pages by now.
            if !std::mem::take(&mut list.shrunk) {
                list.size = asked.min(list.size * 10);
            }
        }
        list.pages += 1;
        if list.pages > bounds.pages {
            return Err(format!("the list has more than {} pages", bounds.pages));
        }
        if list.size < asked {
            let smaller = uri.to_string().replacen(&format!("limit={asked}"), &format!("limit={}", list.size), 1);
            *uri = smaller.parse().map_err(|why| format!("no page of {}: {why}", list.size))?;
        }
        let deadline = Deadline::of(list.began, bounds.list, "the list was not complete");
        Ok(Some(Page { lists: self.clone(), path, deadline }))
    }
}

impl Page {
    /// It did not fit into an answer: the next ones are a tenth of it. A few large objects must not hide all others for ever.
    pub(super) fn shrink(&self) {
        if let Some(list) = self.lists.lock().get_mut(&self.path) {
            (list.size, list.shrunk) = ((list.size / 10).max(1), true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t21_pages_shrink_until_a_list_fits_and_grow_again_with_the_next_one() {
        let lists = Arc::new(Lists::default());
        let ask = |more: &str| {
            let mut uri: Uri = format!("/api/v1/pods?limit=500{more}").parse().expect("an address");
            let page = lists.ask(&mut uri, &Bounds::default(), Instant::now());
            (uri.to_string(), page.expect("within bounds").expect("a page"))
        };
        let (first, page) = ask("");
        page.shrink();
        let (again, page) = ask("");
        page.shrink();
        let (fits, _) = ask("");
        let (goes_on, _) = ask("&continue=x");
        let later = [ask("").0, ask("").0, ask("").0];
        assert_eq!(first, "/api/v1/pods?limit=500");
        assert_eq!(again, "/api/v1/pods?limit=50");
        assert_eq!((fits.as_str(), goes_on.as_str()), ("/api/v1/pods?limit=5", "/api/v1/pods?limit=5&continue=x"));
        assert_eq!(later, ["/api/v1/pods?limit=50", "/api/v1/pods?limit=500", "/api/v1/pods?limit=500"]);
    }
}

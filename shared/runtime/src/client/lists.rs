//! A list comes in pages, each a request of its own, and the watcher follows them for ever. No I/O.

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
    /// Objects in the next page: fewer than were asked for, where so many did not fit into an answer.
    size: usize,
}

/// A page that is being read.
#[derive(Debug)]
pub(super) struct Page {
    lists: Arc<Lists>,
    path: String,
    /// Objects in it, and how many kube asked for.
    pub(super) size: usize,
    asked: usize,
    /// When its list has to be complete.
    pub(super) deadline: Deadline,
}

impl Lists {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, List>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a request, if it is for a page, and makes that smaller where it has to be: `most` objects, if that many did
    /// not fit before.
    pub(super) fn ask(
        self: &Arc<Self>,
        uri: &mut Uri,
        bounds: &Bounds,
        now: Instant,
        most: usize,
    ) -> Result<Option<Page>, String> {
        let parameter = |name: &str| uri.query()?.split('&').find_map(|it| it.strip_prefix(name));
        let Some(asked) = parameter("limit=").and_then(|limit| limit.parse().ok()) else { return Ok(None) };
        let path = uri.path().to_owned();
        let mut lists = self.lock();
        let list = lists.entry(path.clone()).or_insert(List { began: now, pages: 0, size: asked });
        if most == usize::MAX && parameter("continue=").is_none() {
            (list.began, list.pages) = (now, 0);
        }
        list.pages += 1;
        if list.pages > bounds.pages {
            return Err(format!("the list has more than {} pages", bounds.pages));
        }
        list.size = list.size.min(most).min(asked).max(1);
        let size = list.size;
        if size < asked {
            let smaller = uri.to_string().replacen(&format!("limit={asked}"), &format!("limit={size}"), 1);
            *uri = smaller.parse().map_err(|why| format!("no page of {size}: {why}"))?;
        }
        let deadline = Deadline::of(list.began, bounds.list, "the list was not complete");
        Ok(Some(Page { lists: self.clone(), path, size, asked, deadline }))
    }
}

impl Page {
    /// It fitted into an answer: the next one may be larger.
    pub(super) fn fitted(&self) {
        if let Some(list) = self.lists.lock().get_mut(&self.path) {
            list.size = self.asked.min(self.size.saturating_mul(2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t21_pages_shrink_until_they_fit_and_grow_again() {
        let lists = Arc::new(Lists::default());
        let ask = |more: &str, most: usize| {
            let mut uri: Uri = format!("/api/v1/pods?limit=500{more}").parse().expect("an address");
            let page = lists.ask(&mut uri, &Bounds::default(), Instant::now(), most);
            (uri.to_string(), page.expect("within bounds").expect("a page"))
        };
        assert_eq!(ask("", usize::MAX).0, "/api/v1/pods?limit=500");
        assert_eq!(ask("", 50).0, "/api/v1/pods?limit=50");
        let (_, fits) = ask("", 5);
        fits.fitted();
        let later = [(); 8].map(|()| {
            let (uri, page) = ask("&continue=x", usize::MAX);
            page.fitted();
            uri.replace("/api/v1/pods?limit=", "")
        });
        let sizes = ["10", "20", "40", "80", "160", "320", "500", "500"];
        assert_eq!(later, sizes.map(|size| format!("{size}&continue=x")));
        assert_eq!(ask("&continue=x", 0).0, "/api/v1/pods?limit=1&continue=x", "there is no smaller one");
    }
}

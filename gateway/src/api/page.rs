//! Pages of lists. Pure.

use serde::Serialize;
use utoipa::ToSchema;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Page<T> {
    /// How many items this page has.
    pub size: usize,
    /// How many items there are in all, where the API server tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The items.
    pub items: Vec<T>,
    /// What the next page is asked for with, as `page_token`; empty on the last one.
    pub next_page_token: String,
}

/// Items of a page where nothing else is said.
pub const USUAL: u32 = 100;
/// Most items of a page.
pub const MOST: u32 = 500;

impl<T> Page<T> {
    /// The page of these items; `left` is what the API server says about how many come after it, if `whole` says that it left none out.
    pub fn of(items: Vec<T>, next: &str, left: Option<u64>, whole: bool) -> Self {
        let size = items.len();
        let after = if next.is_empty() { Some(0) } else { left };
        let total = after.filter(|_| whole).map(|after| after + size as u64);
        Self { size, total, items, next_page_token: next.to_owned() }
    }
}

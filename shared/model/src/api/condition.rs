//! One condition of a status, in the shape that every Kubernetes tool reads.
//!
//! Not `k8s_openapi`'s type: that one refuses a condition without a transition time, which the published operator
//! writes, and a Machine that does not decode would be invisible to us.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

optional! {
    /// One aspect of the state of an object, true, false or unknown.
    pub struct Condition {
        /// Name of the aspect in CamelCase, for example `Ready`. Each type occurs once.
        #[serde(rename = "type")]
        pub type_: String,
        /// `True`, `False` or `Unknown`.
        pub status: String,
        /// One CamelCase word that says why.
        pub reason: String,
        /// The same for people, with the next step where there is one.
        pub message: String,
        /// When `status` last changed.
        pub last_transition_time: Option<Time>,
        /// The `metadata.generation` that this condition speaks about. Older than the object's: not judged yet.
        #[schemars(range(min = 0))]
        pub observed_generation: Option<i64>,
    }
}

//! CPU and memory of a Machine: the overrides in `resources`, and the published fields that mean the same.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::schema;

optional! {
    /// Overrides of the template, field by field: what is not named here keeps the template's value.
    pub struct Resources {
        /// CPU topology that the guest sees.
        pub cpu: Option<Cpu>,
        /// Memory of the guest.
        pub memory: Option<Memory>,
    }

    /// CPU topology that the guest sees. The guest has cores times threads times sockets CPUs.
    pub struct Cpu {
        /// CPU cores per socket. Default: the template's.
        #[schemars(range(min = 1, max = 256))]
        pub cores: Option<i32>,
        /// Hardware threads per core. Default: the template's.
        #[schemars(range(min = 1, max = 8))]
        pub threads: Option<i32>,
        /// CPU sockets. Default: the template's.
        #[schemars(range(min = 1, max = 16))]
        pub sockets: Option<i32>,
    }

    /// Memory of the guest.
    pub struct Memory {
        /// Size as a quantity, for example `2Gi` or `4096Mi`; a bare number is bytes. `32Mi` to `64Ti`. Default: the
        /// template's.
        #[schemars(schema_with = "schema::size")]
        pub size: Option<Quantity>,
    }

    /// The published form of `spec.resources.cpu`. Where both name a field they must agree.
    pub struct PublishedCpu {
        /// CPU cores per socket, the same as `spec.resources.cpu.cores`; 0 means unset.
        #[schemars(range(min = 0, max = 256))]
        pub cores: Option<i32>,
        /// CPU sockets, the same as `spec.resources.cpu.sockets`; 0 means unset.
        #[schemars(range(min = 0, max = 16))]
        pub sockets: Option<i32>,
        /// Hardware threads per core, the same as `spec.resources.cpu.threads`; 0 means unset.
        #[schemars(range(min = 0, max = 8))]
        pub threads_per_core: Option<i32>,
    }
}

//! `hostile-cluster`: many clusters that lie or are broken, in one process. See `tests::hostile`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio::net::TcpListener;

/// Be every cluster that no one wants.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen.
    #[arg(long)]
    address: SocketAddr,
    /// Folder with `apiserver.crt` and `apiserver.key`.
    #[arg(long)]
    pki: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    tests::install_crypto();
    let Args { address, pki } = Args::parse();
    let served = async { tests::hostile::serve(TcpListener::bind(address).await?, &pki).await };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hostile-cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

//! Compiles the agent protocol without protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = "a3s/box/agent/v1/agent.proto";
    println!("cargo:rerun-if-changed=proto/{proto}");
    let descriptors = protox::compile([proto], ["proto"])?;
    tonic_prost_build::configure().build_client(false).build_transport(false).bytes(".").compile_fds(descriptors)?;
    Ok(())
}

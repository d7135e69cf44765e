"""What is published of the chips that a training can be planned for.

Google's figures are those of docs.cloud.google.com/tpu/docs/v4, v5e, v5p and v6e.
NVIDIA's are those of its data sheets, without sparsity, and of XLA's description of
each GPU (github.com/openxla/xla, xla/backends/gpu/target_config/specs). What a chip
sends to its neighbours is half of what the sheets give for both directions.
"""

from dataclasses import dataclass, replace

GPUS_A_BOX = 8
TPUS_A_HOST = 8  # of a slice with no more; larger ones of v5e and v6e have 4 a host


@dataclass(frozen=True)
class Chip:
    """One chip: FLOPs and bytes a second, and bytes.

    Args:
        name: as its maker calls it.
        bfloat16: its peak of matrix products of this type.
        float32: its peak of those in Keras's float32, as JAX computes them by default:
            in one pass of bfloat16 on TPUs, in TensorFloat32 on GPUs.
        memory: bytes.
        bandwidth: bytes a second from and to its memory.
        links: bytes a second that it sends within its slice or box.
        network: bytes a second that it sends to other boxes; None of TPUs.
        most: how many there are in the largest slice, or in a box.
        source: where these are published.
    """

    name: str
    bfloat16: float
    float32: float
    memory: float
    bandwidth: float
    links: float
    network: float | None
    most: int
    source: str

    compiler = "libtpu"  # the package, and our extra that brings it
    extra = "tpu"


@dataclass(frozen=True)
class Gpu(Chip):
    """What XLA must know beside, to compile for a GPU that is not there."""

    compiler = "jax_cuda12_plugin"
    extra = "gpu-plan"

    cores: int
    fpus_a_core: int
    shared_memory: int
    cache: int
    gigahertz: float
    capability: int

    @property
    def target(self):
        """XLA's `GpuTargetConfigProto` as text."""
        return f"""
        gpu_device_info {{
          core_count: {self.cores}
          fpus_per_core: {self.fpus_a_core}
          clock_rate_ghz: {self.gigahertz}
          device_memory_size: {self.memory:.0f}
          memory_bandwidth: {self.bandwidth:.0f}
          l2_cache_size: {self.cache}
          shared_memory_per_block: 49152
          shared_memory_per_block_optin: {self.shared_memory - 1024}
          shared_memory_per_core: {self.shared_memory}
          registers_per_block_limit: 65536
          registers_per_core_limit: 65536
          threads_per_block_limit: 1024
          threads_per_core_limit: 2048
          threads_per_warp: 32
          block_dim_limit_x: 2147483647
          block_dim_limit_y: 65535
          block_dim_limit_z: 65535
          cuda_compute_capability {{ major: {self.capability} }}
        }}
        platform_name: "CUDA"
        dnn_version_info {{ major: 9 minor: 10 }}
        device_description_str: "{self.name}"
        """


def tpu(name, teraflops, gigabytes, bandwidth, links, most):
    """A TPU, in the units of Google's pages."""
    return Chip(
        name=f"TPU {name}",
        bfloat16=teraflops * 1e12,
        float32=teraflops * 1e12,
        memory=gigabytes * 1e9,
        bandwidth=bandwidth * 1e9,
        links=links * 1e9,
        network=None,
        most=most,
        source=f"docs.cloud.google.com/tpu/docs/{name}",
    )


H100 = Gpu(
    name="NVIDIA H100 80GB HBM3",
    bfloat16=989e12,
    float32=494e12,
    memory=84_942_979_072,
    bandwidth=3352e9,
    links=450e9,
    network=50e9,
    most=GPUS_A_BOX,
    source="NVIDIA H100 data sheet; DGX H100: 400 Gbit/s a GPU",
    cores=132,
    fpus_a_core=128,
    shared_memory=233_472,
    cache=52_428_800,
    gigahertz=1.98,
    capability=9,
)

CHIPS = {
    "v4": tpu("v4", 275, 32, 1228, 300, most=4096),
    "v5e": tpu("v5e", 197, 16, 819, 200, most=256),
    "v5p": tpu("v5p", 459, 95, 2765, 600, most=6144),
    "v6e": tpu("v6e", 918, 32, 1638, 400, most=256),
    "a100": Gpu(
        name="NVIDIA A100-SXM4-80GB",
        bfloat16=312e12,
        float32=156e12,
        memory=85_100_068_864,
        bandwidth=2039e9,
        links=300e9,
        network=25e9,
        most=GPUS_A_BOX,
        source="NVIDIA A100 data sheet; DGX A100: 200 Gbit/s a GPU",
        cores=108,
        fpus_a_core=64,
        shared_memory=167_936,
        cache=41_943_040,
        gigahertz=1.41,
        capability=8,
    ),
    "h100": H100,
    "h200": replace(
        H100,
        name="NVIDIA H200 141GB HBM3e",
        memory=151_397_597_184,
        bandwidth=4800e9,
        source="NVIDIA H200 data sheet; DGX H200: 400 Gbit/s a GPU",
    ),
    "b200": Gpu(
        name="NVIDIA B200",
        bfloat16=2250e12,
        float32=1100e12,
        memory=191_514_411_008,
        bandwidth=7672e9,
        links=900e9,
        network=50e9,
        most=GPUS_A_BOX,
        source="NVIDIA HGX B200 data sheet; DGX B200: 400 Gbit/s a GPU",
        cores=148,
        fpus_a_core=128,
        shared_memory=233_472,
        cache=132_644_864,
        gigahertz=1.965,
        capability=10,
    ),
}

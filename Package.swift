// swift-tools-version: 6.2
import PackageDescription

/// The instruction set the build may use. The package is always built on the machine that runs it, so the
/// default is that machine's own; `CPT_MARCH=` (empty) builds for the baseline of the architecture, and
/// `CPT_MARCH=x86-64-v3` (say) for another. Only the elementwise kernels depend on it: OpenBLAS picks its own at run time.
let instructionSet = Context.environment["CPT_MARCH"] ?? "native"

#if arch(x86_64)
  let architectureFlag = "-march="
#else
  let architectureFlag = "-mcpu="
#endif

let machineSettings: [SwiftSetting] =
  instructionSet.isEmpty ? [] : [.unsafeFlags(["-Xcc", architectureFlag + instructionSet])]

/// `scripts/install` names the commit that it builds.
let commitSettings: [SwiftSetting] =
  Context.environment["CPT_COMMIT"].map { $0.isEmpty ? [] : [.unsafeFlags(["-Xcc", "-DCPT_COMMIT=" + $0])] } ?? []

/// Everything but the numerical core, the byte decoders and the calls of utf8proc and Oniguruma is written without unsafe constructs,
/// and stays so.
let safeSettings: [SwiftSetting] = [.strictMemorySafety()]

let package = Package(
  name: "cpt",
  products: [
    .executable(name: "cpt", targets: ["cpt"]),
    .library(name: "ContextTuning", targets: ["ContextTuning"]),
    .library(name: "CPT", type: .dynamic, targets: ["CInterface", "Commands"]),
  ],
  traits: [
    .trait(name: "MPI", description: "Ranks on one machine or many, started by mpirun or srun.")
  ],
  dependencies: [
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(
      name: "COpenBLAS",
      pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]
    ),
    .systemLibrary(
      name: "CUTF8Proc",
      providers: [.apt(["libutf8proc-dev"])]
    ),
    .systemLibrary(
      name: "CZlib",
      providers: [.apt(["zlib1g-dev"])]
    ),
    .systemLibrary(
      name: "COniguruma",
      providers: [.apt(["libonig-dev"])]
    ),
    .systemLibrary(
      name: "CMPI",
      pkgConfig: Context.environment["CPT_MPI"] ?? "mpi-c",
      providers: [.apt(["libopenmpi-dev"])]
    ),
    .target(name: "Diagnostics", swiftSettings: safeSettings),
    .target(name: "System", dependencies: ["CZlib", "Diagnostics"]),
    .target(
      name: "Collectives",
      dependencies: ["Diagnostics", "System", .target(name: "CMPI", condition: .when(traits: ["MPI"]))]),
    .target(name: "FileFormats", dependencies: ["Diagnostics", "System"]),
    .target(
      name: "Kernels", dependencies: ["COpenBLAS", "Collectives"], swiftSettings: machineSettings + commitSettings),
    .target(
      name: "LanguageModel", dependencies: ["Collectives", "Diagnostics", "FileFormats", "Kernels", "System"],
      swiftSettings: machineSettings),
    .target(
      name: "Tokenization", dependencies: ["COniguruma", "CUTF8Proc", "Diagnostics", "FileFormats", "System"],
      swiftSettings: safeSettings),
    .target(name: "ChatTemplates", dependencies: ["Diagnostics"], swiftSettings: safeSettings),
    .target(
      name: "Method", dependencies: ["ChatTemplates", "Diagnostics", "Kernels", "LanguageModel", "Tokenization"],
      swiftSettings: safeSettings),
    .target(
      name: "Runs", dependencies: ["Diagnostics", "FileFormats", "Kernels", "LanguageModel", "Method", "System"],
      swiftSettings: safeSettings),
    .target(
      name: "Tuning",
      dependencies: [
        "ChatTemplates", "Collectives", "Diagnostics", "FileFormats", "Kernels", "LanguageModel", "Method", "Runs",
        "System", "Tokenization",
      ],
      swiftSettings: safeSettings),
    .target(
      name: "Insights",
      dependencies: [
        "ChatTemplates", "Collectives", "Diagnostics", "FileFormats", "Kernels", "LanguageModel", "Method", "Runs",
        "System", "Tokenization", "Tuning",
      ],
      swiftSettings: safeSettings),
    .target(
      name: "Reporting",
      dependencies: [
        "Diagnostics", "FileFormats", "Insights", "Kernels", "LanguageModel", "Method", "Runs", "System",
        "Tokenization", "Tuning",
      ],
      swiftSettings: safeSettings),
    .target(
      name: "ContextTuning",
      dependencies: ["Diagnostics", "FileFormats", "Kernels", "Method", "Runs", "System", "Tuning"],
      swiftSettings: safeSettings),
    .systemLibrary(name: "CContextTuning"),
    .target(name: "CInterface", dependencies: ["CContextTuning", "ContextTuning", "Diagnostics"]),
    .target(
      name: "Serving",
      dependencies: [
        "ContextTuning", "Diagnostics", "FileFormats", "System", "Tuning",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: safeSettings),
    .target(
      name: "Commands",
      dependencies: [
        "CUTF8Proc", "Collectives", "ContextTuning", "Diagnostics", "FileFormats", "Insights", "Kernels",
        "LanguageModel", "Method",
        "Reporting",
        "Runs", "Serving", "System", "Tokenization", "Tuning",
      ],
      swiftSettings: safeSettings),
    .executableTarget(
      name: "cpt", dependencies: ["Commands"],
      swiftSettings: safeSettings),
    .target(
      name: "TestSupport", dependencies: ["Collectives", "Diagnostics", "FileFormats", "Method", "System"],
      path: "Tests/TestSupport"),
    .testTarget(name: "DiagnosticsTests", dependencies: ["Diagnostics"]),
    .testTarget(
      name: "ChatTemplatesTests", dependencies: ["ChatTemplates", "Diagnostics", "FileFormats", "TestSupport"]),
    .testTarget(name: "SystemTests", dependencies: ["Diagnostics", "System", "TestSupport"]),
    .testTarget(name: "FileFormatsTests", dependencies: ["Diagnostics", "FileFormats", "System", "TestSupport"]),
    .testTarget(name: "KernelsTests", dependencies: ["FileFormats", "Kernels", "TestSupport"]),
    .testTarget(
      name: "LanguageModelTests",
      dependencies: [
        "Collectives", "Diagnostics", "FileFormats", "Kernels", "LanguageModel", "System", "TestSupport",
      ]),
    .testTarget(
      name: "TokenizationTests", dependencies: ["Diagnostics", "FileFormats", "System", "TestSupport", "Tokenization"]),
    .testTarget(
      name: "MethodTests",
      dependencies: ["ChatTemplates", "Diagnostics", "FileFormats", "Method", "TestSupport", "Tokenization"]),
    .testTarget(
      name: "RunsTests", dependencies: ["Diagnostics", "FileFormats", "Method", "Runs", "System", "TestSupport"]),
    .testTarget(
      name: "TuningTests",
      dependencies: [
        "Collectives", "Diagnostics", "FileFormats", "Kernels", "LanguageModel", "Method", "Runs", "System",
        "TestSupport",
        "Tokenization", "Tuning",
      ]),
    .testTarget(
      name: "InsightsTests",
      dependencies: [
        "Diagnostics", "FileFormats", "Insights", "Kernels", "LanguageModel", "Method", "Runs", "System", "TestSupport",
        "Tokenization", "Tuning",
      ]),
    .testTarget(
      name: "ReportingTests", dependencies: ["Diagnostics", "FileFormats", "Reporting", "System", "TestSupport"]),
    .testTarget(
      name: "ContextTuningTests",
      dependencies: ["CContextTuning", "CInterface", "ContextTuning", "System", "TestSupport"]),
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "cpt", "Diagnostics", "FileFormats", "Insights", "Method", "Runs", "System", "TestSupport",
        "Tuning",
      ]),
  ],
  swiftLanguageModes: [.v6]
)

/// For `scripts/fuzz`: libFuzzer brings a main function of its own.
if Context.environment["CPT_FUZZING"] != nil, let commands = package.targets.first(where: { $0.name == "Commands" }) {
  commands.swiftSettings = safeSettings + [.unsafeFlags(["-enable-testing"])]
  package.targets.append(
    .executableTarget(
      name: "Fuzzing", dependencies: commands.dependencies + ["ChatTemplates", "Commands"], path: "Tests/Fuzzing",
      exclude: ["corpus", "tokens.dict"]))
}

import FileFormats
import Method
import System
import Testing

/// The golden files of PEFT's own runs; scripts/make-parity-goldens makes them.
package struct ParityGoldens {
  package static let folder = fixtures + "/parity"

  package let json: JSON
  package let tensors: SafetensorsFile
  package let context: TypedTokens
  package let rows: [TypedTokens]

  package init() throws {
    json = try JSON.read(file: Self.folder + "/goldens.json")
    tensors = try SafetensorsFile(path: Self.folder + "/goldens.safetensors")
    func integers(_ json: JSON?) throws -> [Int] { try #require(json?.array).compactMap(\.integer) }
    context = try TypedTokens(ids: integers(json["context"]?["ids"]), types: integers(json["context"]?["types"]))
    rows = try #require(json["rows"]?.array).map {
      try TypedTokens(ids: integers($0["input_ids"]), types: integers($0["input_type_mask"]))
    }
  }

  package func recorded(_ name: String) throws -> JSON {
    try #require(json["cases"]?.array?.first { $0["name"]?.string == name })
  }

  /// Writes `config.json` and `train.jsonl`; returns the configuration's path.
  package func write(_ name: String, in folder: String, training changes: [String: JSON] = [:]) throws -> String {
    let recorded = try recorded(name)
    let batch = try #require(recorded["batch"]?.integer)
    var training: [String: JSON] = [
      "learning_rate": try #require(json["learning_rate"]), "num_train_epochs": .integer(1),
      "batch_size": .integer(batch), "lr_scheduler_type": .string("constant"), "max_grad_norm": .null,
      "shuffle": .bool(false),
    ]
    training.merge(changes) { $1 }
    let lines = rows.prefix(20 * batch).map { row in
      JSON.object([
        .init("input_ids", .array(row.ids.map(JSON.integer))),
        .init("input_type_mask", .array(row.types.map(JSON.integer))),
      ]).compact
    }
    try writeAtomically(lines.joined(separator: "\n"), to: folder + "/train.jsonl")
    let configuration: JSON = .object([
      .init("base_model_name_or_path", .string(Self.folder + "/model")),
      .init("cpt_token_ids", .array(context.ids.map(JSON.integer))),
      .init("cpt_tokens_type_mask", .array(context.types.map(JSON.integer))),
      .init("opt_weighted_loss_type", try #require(recorded["opt_weighted_loss_type"])),
      .init("opt_loss_decay_factor", try #require(recorded["opt_loss_decay_factor"])),
      .init("opt_projection_epsilon", try #require(json["epsilon"])),
      .init("opt_projection_format_epsilon", try #require(json["format_epsilon"])),
      .init("data", .object([.init("train", .string("train.jsonl"))])),
      .init("training", .object(training.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })),
      .init("output_dir", .string("run")),
    ])
    try writeAtomically(configuration.pretty, to: folder + "/config.json")
    return folder + "/config.json"
  }
}

/// The lines of a metrics.jsonl that carry a key.
package func metrics(in folder: String, with key: String) throws -> [JSON] {
  try readBytes(of: folder + "/metrics.jsonl").split(separator: UInt8(ascii: "\n"))
    .map { try JSON(parsing: Array($0), file: "metrics.jsonl") }.filter { $0[key] != nil }
}

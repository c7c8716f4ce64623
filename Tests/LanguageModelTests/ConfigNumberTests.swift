import Diagnostics
import FileFormats
import Glibc
import LanguageModel
import System
import Testing
import TestSupport

/// What a number of config.json may be by mistake.
private let mistakes: [JSON] = [
  .integer(0), .integer(-1), .number(1e30), .number(-1e30), .number(1e-300), .integer(Int(Int32.max)),
  .integer(1 << 62), .integer(.max), .number(1.5), .number(.nan), .number(.infinity), .string("NaN"), .null,
]

extension JSON {
  /// Every variant of this value with one number in it replaced, and the path of that number.
  fileprivate func variants(_ path: String = "") -> [(path: String, json: JSON)] {
    switch self {
    case .integer, .number: mistakes.map { (path, $0) }
    case .array(let values):
      values.indices.flatMap { index in
        values[index].variants(path + "[\(index)]").map { variant in
          var copy = values
          copy[index] = variant.json
          return (variant.path, .array(copy))
        }
      }
    case .object(let members):
      members.indices.flatMap { index in
        members[index].value.variants(path + "." + members[index].key).map { variant in
          var copy = members
          copy[index] = Member(members[index].key, variant.json)
          return (variant.path, .object(copy))
        }
      }
    default: []
    }
  }

  /// The value as Python writes it.
  fileprivate var pythonText: String {
    switch self {
    case .number(let value) where !value.isFinite: value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
    case .array(let values): "[" + values.map(\.pythonText).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { "\(JSON.string($0.key).compact): \($0.value.pythonText)" }.joined(separator: ", ") + "}"
    default: compact
    }
  }
}

/// The numbers of config.json are checked before they size anything.
@Suite struct ConfigNumberTests {
  /// Every number, one at a time: a model that runs, or an error that is one line; never a trap, or gigabytes.
  @Test(arguments: try FamilyGoldens().cases)
  func wrongNumbersAreErrors(golden: FamilyGoldens.Case) throws {
    // Keys of sizes that the file leaves to the family's defaults are numbers too.
    let more = [
      "num_hidden_layers", "n_layer", "num_layers", "head_dim", "num_key_value_heads", "sliding_window", "n_inner",
      "rotary_dim", "rotary_pct", "rotary_emb_base", "partial_rotary_factor", "rope_theta", "window_size",
      "max_window_layers", "sliding_window_pattern", "num_kv_heads", "ffn_hidden_size", "num_ln_in_parallel_attn",
      "word_embed_proj_dim", "original_max_position_embeddings", "query_pre_attn_scalar", "attn_logit_softcapping",
      "n_positions", "max_position_embeddings", "vocab_size", "n_embd", "n_head",
    ]
    var members = try #require(JSON.read(file: golden.folder + "/config.json").object)
    let own = Set(members.map(\.key))
    members += more.filter { !own.contains($0) }.map { .init($0, .integer(1)) }
    let all = JSON.object(members).variants().map { variant in
      // Of the added keys, only the one that is tried.
      guard case .object(let members) = variant.json else { return variant }
      let tried = variant.path.dropFirst().split(separator: ".").first.map(String.init) ?? ""
      return (variant.path, JSON.object(members.filter { own.contains($0.key) || $0.key == tried }))
    }
    #expect(all.count > 300)
    try withTemporaryFolder { folder in
      try writeAtomically(readBytes(of: golden.folder + "/model.safetensors"), to: folder + "/model.safetensors")
      for (path, json) in all {
        try writeAtomically(json.pythonText, to: folder + "/config.json")
        do {
          let model = try FrozenModel(path: folder)
          #expect(model.decoder.parameters > 0)
          let ids = golden.ids.prefix(min(5, model.decoder.maximumPositions ?? 5))
          #expect(logProbabilities(model.decoder, Array(ids)).count == ids.count * model.decoder.vocabularySize)
        } catch let error as InputError {
          #expect(!"\(error)".contains("\n"), "\(path)")
        }
      }
    }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    #expect(usage.ru_maxrss < 1_000_000)  // KiB
  }

  /// Python writes them for keys that are of no use here.
  @Test func nonFiniteNumbersOfUnusedKeysAreRead() throws {
    let golden = try #require(FamilyGoldens().cases.first { $0.name == "llama" })
    let members = try #require(JSON.read(file: golden.folder + "/config.json").object)
    try withTemporaryFolder { folder in
      try writeAtomically(readBytes(of: golden.folder + "/model.safetensors"), to: folder + "/model.safetensors")
      let more = JSON.Member("time_step_limit", .array([.number(0), .number(.infinity), .number(.nan)]))
      try writeAtomically(JSON.object(members + [more]).pythonText, to: folder + "/config.json")
      #expect(throws: Never.self) { try FrozenModel(path: folder) }
    }
  }
}

import Diagnostics
import FileFormats
import Glibc
import System
import Testing

/// What transformers and PEFT compute for models: a small one of every family (scripts/make-family-goldens), or those of
/// another folder.
package struct FamilyGoldens {
  package struct Case: Sendable, CustomTestStringConvertible {
    package let name: String
    /// The folder of the model, or its file.
    package let folder: String
    /// The tensors `<case>.logits` and `<case>.gradient`.
    package let tensors: SafetensorsFile
    /// A text whose logits are known.
    package let ids: [Int]
    /// A context and a batch, ids with types, whose loss and gradient are known.
    package let context: (ids: [Int], types: [Int])
    package let rows: [(ids: [Int], types: [Int])]
    package let loss: Double
    /// A long text and the mean of its tokens' losses, for families without a last position.
    package let long: (ids: [Int], loss: Double)?

    package var testDescription: String { name }
  }

  /// Another config.json for the model of a case.
  package struct Spelling: Sendable, CustomTestStringConvertible {
    package let golden: Case
    package let configuration: JSON
    let kind: String

    package var testDescription: String { "\(golden.name), \(kind)" }
  }

  package let cases: [Case]
  package let spellings: [Spelling]
  package let decayFactor: Double

  /// Of the small models of scripts/make-gguf-goldens.
  package static var gguf: FamilyGoldens { get throws { try FamilyGoldens(folder: fixtures + "/gguf") } }

  /// The goldens of models that are not part of the project, for checks by hand (scripts/check-gguf); nil: none are given.
  package static let given: FamilyGoldens? = getenv("CPT_GOLDENS").flatMap {
    try? FamilyGoldens(folder: String(cString: $0))
  }

  package init(folder: String = fixtures + "/families") throws {
    let file = folder + "/goldens.json"
    let tensors = try SafetensorsFile(path: folder + "/goldens.safetensors")
    let json = try JSON.read(file: file)
    func missing(_ key: String) -> InputError { .badData(file, "lacks \(key)") }
    func integers(_ json: JSON?) -> [Int] { json?.array?.compactMap(\.integer) ?? [] }
    let cases = try (json["cases"]?.array ?? []).map { entry in
      guard let name = entry["name"]?.string, let loss = entry["loss"]?.number else { throw missing("name or loss") }
      return Case(
        name: name,
        folder: (entry["model"] ?? entry["file"])?.string.map { resolve($0, relativeTo: folder) } ?? folder + "/"
          + name,
        tensors: tensors, ids: integers(entry["ids"]),
        context: (integers(entry["context"]?["ids"]), integers(entry["context"]?["types"])),
        rows: (entry["rows"]?.array ?? []).map { (integers($0["input_ids"]), integers($0["input_type_mask"])) },
        loss: loss, long: entry["long"].flatMap { long in long["loss"]?.number.map { (integers(long["ids"]), $0) } })
    }
    self.cases = cases
    spellings = try (json["spellings"]?.array ?? []).map { entry in
      guard let golden = cases.first(where: { $0.name == entry["case"]?.string }), let configuration = entry["config"]
      else { throw missing("case or config") }
      return Spelling(golden: golden, configuration: configuration, kind: entry["kind"]?.string ?? "")
    }
    guard let factor = json["opt_loss_decay_factor"]?.number else { throw missing("opt_loss_decay_factor") }
    decayFactor = factor
  }
}

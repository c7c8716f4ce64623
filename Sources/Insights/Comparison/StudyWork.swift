import Collectives
import Diagnostics
import FileFormats
import Runs

/// A part of a study that one rank does: a candidate that is validated, or a cell that is trained and evaluated.
enum StudyWork {
  case candidate(Condition, Study.Variant, index: Int)
  case cell(Condition, Study.Variant, seed: Int)
}

extension Study {
  /// All parts, in the order of one rank: the first seed of all conditions and methods before the second, and a method's
  /// candidates before its first cell.
  var work: [StudyWork] {
    seeds.flatMap { seed in
      conditions.flatMap { condition in
        methods.flatMap { method in
          let count = choices(of: method).count, isFirst = seed == seeds[0]
          return (0..<(isFirst && count > 1 ? count : 0)).map { .candidate(condition, method, index: $0) }
            + [StudyWork.cell(condition, method, seed: seed)]
        }
      }
    }
  }
}

extension Study {
  /// The configuration of a cell: it learns from all rows if folds only serve to choose settings.
  func cellConfiguration(
    _ condition: Condition, _ method: Study.Variant, seed: Int, choice: [(path: String, value: JSON)]
  ) throws -> Configuration {
    var configuration = try configuration(condition, method, seed: seed, choice: choice)
    if hasChoices {
      configuration.data.validationFolds = nil
      configuration.data.validationFold = nil
    }
    return configuration
  }

  /// A choice as keys with values.
  static func settings(_ choice: [(path: String, value: JSON)]) -> JSON {
    .object(choice.map { .init($0.path, $0.value) })
  }
}

/// What a rank is asked to do: the index of a part of the study, and of the choice that a cell uses.
struct StudyAssignment {
  let work: Int
  let choice: Int

  var bytes: [UInt8] { Array("\(work) \(choice)".utf8) }

  init(work: Int, choice: Int) {
    self.work = work
    self.choice = choice
  }

  /// nil: there is nothing left to do.
  init?(_ bytes: [UInt8]) {
    let numbers = String(decoding: bytes, as: UTF8.self).split(separator: " ").compactMap { Int($0) }
    guard numbers.count == 2 else { return nil }
    self.init(work: numbers[0], choice: numbers[1])
  }
}

/// What has come of a part of a study.
enum StudyResult: Equatable {
  case cell(Comparison.Cell, ComparisonTimes.Cell)
  case candidate(Comparison.Candidate)
  /// It was stopped, and can be resumed.
  case stopped
}

extension StudyResult {
  /// The result as a message between ranks.
  var bytes: [UInt8] {
    let members: [JSON.Member] =
      switch self {
      case .cell(let cell, let times): [.init("cell", cell.json), .init("times", times.json)]
      case .candidate(let candidate): [.init("candidate", candidate.json)]
      case .stopped: []
      }
    return Array(JSON.object(members).compact.utf8)
  }

  init(_ bytes: [UInt8], from rank: Int) throws {
    let place = "rank \(rank)", json = try JSON(parsing: bytes, file: place), origin = FieldOrigin(place)
    if let cell = json["cell"], let times = json["times"] {
      self = .cell(try Comparison.Cell(cell, origin), try ComparisonTimes.Cell(times, origin))
    } else if let candidate = json["candidate"] {
      self = .candidate(try Comparison.Candidate(candidate, origin))
    } else {
      self = .stopped
    }
  }
}

import FileFormats
import Runs

/// An event that `--progress json` prints: a line of standard error with the event's name and its keys.
package struct ProgressEvent: Sendable {
  /// The value of the key "event".
  package let name: String
  private let members: [JSON.Member]

  /// The line, without its line break.
  package var line: String { JSON.object([.init(Self.nameKey, .string(name))] + members).compact }

  private static let nameKey = "event"

  /// A run begins, or resumes.
  package static func start(_ plan: TrainingPlan) -> ProgressEvent { event("start", plan) }
  /// An optimiser step was taken.
  package static func step(_ metrics: StepMetrics) -> ProgressEvent { event("step", metrics) }
  /// The validation rows were evaluated.
  package static func evaluation(_ metrics: EvaluationMetrics, isBest: Bool) -> ProgressEvent {
    event("evaluation", Evaluated(metrics: metrics, isBest: isBest))
  }
  /// A checkpoint was written to a folder.
  package static func checkpoint(_ folder: String) -> ProgressEvent { event("checkpoint", Saved(folder: folder)) }
  /// The model has run over some of the rows; nil for all: their number is not known yet.
  package static func rows(_ activity: String, _ done: Int, of all: Int?) -> ProgressEvent {
    event("rows", RowsDone(activity: activity, rows: done, all: all))
  }
  /// A cell of a comparison begins, or the search of its settings.
  package static func cell(_ name: String) -> ProgressEvent { event("cell", CellBegun(name: name)) }
  /// A cell of a comparison is finished.
  package static func cellEnd(
    _ name: String, done: Int, of all: Int, accuracy: Double, macroF1: Double
  ) -> ProgressEvent {
    event("cell_end", CellDone(name: name, done: done, all: all, accuracy: accuracy, macroF1: macroF1))
  }
  /// Something that is not an error.
  package static func note(_ text: String) -> ProgressEvent { event("note", Note(text: text)) }
  /// The command's result, where standard output has something else.
  package static func result(_ json: JSON) -> ProgressEvent { event("result", ResultOfCommand(result: json)) }
  /// The command ends; the last event.
  package static func end(status: Int32, error: String?) -> ProgressEvent {
    event("end", Ending(status: Int(status), error: error))
  }

  /// The event of a training run.
  package init(_ event: TrainingEvent) {
    self =
      switch event {
      case .started(let plan): .start(plan)
      case .read(let rows, let all): .rows("reading", rows, of: all)
      case .step(let metrics): .step(metrics)
      case .evaluated(let metrics, let isBest): .evaluation(metrics, isBest: isBest)
      case .saved(let folder): .checkpoint(folder)
      }
  }

  private init(name: String, members: [JSON.Member]) {
    self.name = name
    self.members = members
  }

  private static func event(_ name: String, _ values: some FieldList) -> ProgressEvent {
    ProgressEvent(name: name, members: values.members)
  }

  /// Every event by its name: its meaning, and its keys besides "event".
  package static let descriptions: [(name: String, meaning: String, keys: [FieldDescription])] = [
    ("start", "a run begins, or resumes", TrainingPlan.descriptions),
    ("step", "an optimiser step", StepMetrics.descriptions),
    ("evaluation", "the validation rows were evaluated", Evaluated.descriptions),
    ("checkpoint", "a checkpoint was written", Saved.descriptions),
    ("rows", "the model has run over some rows", RowsDone.descriptions),
    ("cell", "a cell of a comparison begins", CellBegun.descriptions),
    ("cell_end", "a cell of a comparison is finished", CellDone.descriptions),
    ("note", "something to know that is not an error", Note.descriptions),
    ("result", "the result, where it is not printed", ResultOfCommand.descriptions),
    ("end", "the last event", Ending.descriptions),
  ]
}

extension TrainingPlan: FieldList {
  package static let fields: [Field<TrainingPlan>] = [
    .derived("first_step", \.firstStep, .integer(from: 0), "steps taken before; 0 unless the run resumes"),
    .derived("total_steps", \.totalSteps, .integer(from: 0), "steps of the whole run, unless it stops early"),
    .derived("steps_per_epoch", \.stepsPerEpoch, .integer(from: 0), "steps of a pass over the training rows"),
    .derived("warmup_steps", \.warmupSteps, .integer(from: 0), "steps in which the learning rate rises"),
    .derived("training_rows", \.trainingExamples, .integer(from: 0), "number of training rows"),
    .derived("validation_rows", \.validationExamples, .integer(from: 0), "number of validation rows"),
    .derived("context_tokens", \.contextTokens, .integer(from: 0), "tokens of the context"),
    .derived(
      "eval_steps", \.evaluationSteps, .null(or: .integer(from: 0)),
      "steps between evaluations; null if there are only the first and the last"),
    .derived(
      "may_stop_early", \.mayStopEarly, .flag, "whether a lack of better evaluations may end it before its last step"),
  ]
}

private struct Evaluated: FieldList {
  var metrics: EvaluationMetrics
  let isBest: Bool

  static let fields: [Field<Evaluated>] =
    EvaluationMetrics.fields.map { $0.within(\.metrics) } + [
      .derived("is_best", \.isBest, .flag, "whether no evaluation before was better")
    ]
}

private struct Saved: FieldList {
  let folder: String

  static let fields: [Field<Saved>] = [.derived("folder", \.folder, .text, "the folder of the checkpoint")]
}

private struct RowsDone: FieldList {
  let activity: String
  let rows: Int
  let all: Int?

  static let fields: [Field<RowsDone>] = [
    .derived(
      "activity", \.activity, .text, "what the rows are for: a method's abbreviation, \"predicting\", \"reading\""),
    .derived("rows", \.rows, .integer(from: 0), "rows done"),
    .derived("of", \.all, .null(or: .integer(from: 0)), "all rows; null if their number is not known"),
  ]
}

private struct CellBegun: FieldList {
  let name: String

  static let fields: [Field<CellBegun>] = [.derived("cell", \.name, .text, "its name")]
}

private struct CellDone: FieldList {
  let name: String
  let done: Int
  let all: Int
  let accuracy: Double
  let macroF1: Double

  static let fields: [Field<CellDone>] = [
    .derived("cell", \.name, .text, "its folder in that of the comparison"),
    .derived("done", \.done, .integer(from: 0), "finished cells"),
    .derived("of", \.all, .integer(from: 0), "all cells"),
    .derived("accuracy", \.accuracy, .share, "share of the rows predicted correctly"),
    .derived("macro_f1", \.macroF1, .number, "mean of the F1 scores of the labels"),
  ]
}

private struct Note: FieldList {
  let text: String

  static let fields: [Field<Note>] = [.derived("text", \.text, .text, "the note")]
}

private struct ResultOfCommand: FieldList {
  let result: JSON

  static let fields: [Field<ResultOfCommand>] = [.derived("result", \.result, .anything, "what --json prints")]
}

private struct Ending: FieldList {
  let status: Int
  let error: String?

  static let fields: [Field<Ending>] = [
    .derived("exit_code", \.status, .integer(from: 0), "the exit status; see cpt help exit-codes"),
    .derived("error", \.error, .null(or: .text), "the error; null without one"),
  ]
}

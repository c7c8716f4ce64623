import FileFormats
import Method

/// The `training` section, with Hugging Face's names for keys that have one.
package struct TrainingConfiguration: Sendable, Equatable {
  /// The metric that selects the `best` checkpoint.
  package enum Metric: String, CaseIterable, Sendable {
    case accuracy
    case macroF1 = "macro_f1"
    case loss
  }

  /// Where a run's metrics go besides metrics.jsonl.
  package enum Report: String, CaseIterable, Sendable {
    case none
    case tensorBoard = "tensorboard"
  }

  package var method = TuningMethod.cpt
  package var learningRate = 1e-4
  package var epochs = 5.0
  package var maxSteps: Int?
  package var batchSize = 1
  package var accumulationSteps = 1
  /// Bytes.
  package var memoryLimit: Int?
  package var optimizer = OptimizerKind.adamW
  package var weightDecay = 0.0
  package var schedule = ScheduleKind.linear
  package var warmupSteps = StepCount.steps(0)
  package var warmupRatio: Double?
  package var maxGradientNorm: Double? = 1.0
  package var seed = 0
  package var shuffles = true
  package var leavesOneOut = false
  /// The probability that a step leaves out a trained token of the context.
  package var contextDropout = 0.0
  package var evaluationSteps: StepCount?
  package var saveSteps: StepCount?
  package var saveTotalLimit: Int?
  package var bestMetric = Metric.accuracy
  package var earlyStoppingPatience: Int?
  package var report = Report.none
}

/// A number of optimiser steps.
package enum StepCount: Sendable, Equatable {
  case steps(Int)
  /// A share of all steps, above 0 and below 1, rounded up.
  case share(Double)

  /// The number of steps for a run of `total` steps.
  package func count(of total: Int) -> Int {
    switch self {
    case .steps(let count): count
    case .share(let share): Int((Double(total) * share).rounded(.up))
    }
  }
}

extension FieldType where Value == StepCount {
  /// Whole numbers of at least `lowest`, and shares of all steps, as transformers has both.
  static func steps(from lowest: Int) -> FieldType {
    FieldType(
      expected: "a whole number from \(lowest) to \(Int32.max), or a share of all steps above 0 and below 1",
      read: { json in
        if let count = json.integer { return (lowest...Int(Int32.max)).contains(count) ? .steps(count) : nil }
        return json.number.flatMap { $0 > 0 && $0 < 1 ? .share($0) : nil }
      },
      write: { count in
        switch count {
        case .steps(let count): .integer(count)
        case .share(let share): .number(share)
        }
      })
  }
}

extension FieldType where Value == TrainingConfiguration.Report {
  /// The names, or as in transformers a list of at most one.
  fileprivate static var reports: FieldType {
    FieldType(
      expected: "one of \"none\", \"tensorboard\"",
      read: { json in
        guard let list = json.array else { return json.string.flatMap(Value.init) }
        return list.isEmpty ? Value.none : list.count == 1 ? list[0].string.flatMap(Value.init) : nil
      },
      write: { .string($0.rawValue) })
  }
}

extension TrainingConfiguration: ConfigurationSection {
  package static let fields: [Field<TrainingConfiguration>] = [
    Field(
      "method", \.method, .choice,
      "what is trained: \"cpt\": the context; \"icl\": nothing; \"prompt_tuning\": virtual tokens without a context; "
        + "\"instruction_prompt_tuning\": virtual tokens before a fixed context; \"head\": a linear classifier on the "
        + "frozen model's hidden states"),
    Field("learning_rate", \.learningRate, .positive, "step size of the optimiser, before the schedule"),
    Field("num_train_epochs", \.epochs, .positive, "passes over the training rows"),
    Field(
      "max_steps", \.maxSteps, .null(or: .integer(from: 1), number: -1),
      "optimiser steps in all, in place of num_train_epochs"),
    Field("batch_size", \.batchSize, .integer(from: 1), "examples per batch"),
    Field(
      "gradient_accumulation_steps", \.accumulationSteps, .integer(from: 1),
      "batches per optimiser step; batch_size times this is one mathematical batch"),
    Field(
      "memory_limit", \.memoryLimit, .null(or: .bytes),
      "memory limit, met by recomputing and by computing fewer examples together; null: 80 % of the machine's memory"),
    Field(
      "optim", \.optimizer, .choice(also: ["adamw_torch": .adamW, "adamw_torch_fused": .adamW]),
      "the optimiser; \"adamw_torch\" is read as \"adamw\""),
    Field("weight_decay", \.weightDecay, .nonNegative, "decoupled for adamw, added to the gradient for sgd"),
    Field("lr_scheduler_type", \.schedule, .choice, "how the learning rate changes after the warm-up"),
    Field("warmup_steps", \.warmupSteps, .steps(from: 0), "steps over which the learning rate rises from 0"),
    Field(
      "warmup_ratio", \.warmupRatio, .null(or: .share), "warm-up as a share of all steps, in place of warmup_steps"),
    Field(
      "max_grad_norm", \.maxGradientNorm, .null(or: .positive, number: 0),
      "gradient clipping: a larger norm is scaled down to this; null or 0: none"),
    Field("seed", \.seed, .integer(from: 0), "determines splits, context, training rows and their order"),
    Field("shuffle", \.shuffles, .flag, "draw a new order of the training rows for every epoch"),
    Field(
      "leave_one_out", \.leavesOneOut, .flag,
      "compute each step without those examples of the context that it trains on; needs data.train_on \"context\" or "
        + "\"all\""),
    Field(
      "context_dropout", \.contextDropout, .shareBelowOne,
      "probability that a step leaves out a trained token of the context; evaluations use all of them"),
    Field(
      "eval_steps", \.evaluationSteps, .null(or: .steps(from: 1)),
      "steps between evaluations; a run also begins and ends with one; null: no others, or with early_stopping_patience "
        + "one after every epoch"),
    Field(
      "save_steps", \.saveSteps, .null(or: .steps(from: 1)),
      "steps between checkpoints; the run always ends with one; null: only at the end"),
    Field(
      "save_total_limit", \.saveTotalLimit, .null(or: .integer(from: 1), number: 0),
      "number of newest checkpoints to keep; null or 0: all"),
    Field(
      "metric_for_best_model", \.bestMetric,
      .choice(also: ["eval_accuracy": .accuracy, "eval_macro_f1": .macroF1, "eval_loss": .loss]),
      "metric on the validation rows that selects the best checkpoint; among equal values, the lower loss does"),
    Field(
      "early_stopping_patience", \.earlyStoppingPatience, .null(or: .integer(from: 1)),
      "stop after this many evaluations in a row without a better metric_for_best_model, or without validation rows, "
        + "without a lower mean training loss since the one before; null: never"),
    Field(
      "report_to", \.report, .reports, "\"tensorboard\": also write event files, into the run's folder tensorboard/"),
  ]

  func validate(_ origin: FieldOrigin) throws {
    if warmupRatio ?? 0 > 0, warmupSteps != .steps(0) {
      throw origin.error("warmup_ratio", "contradicts \"training.warmup_steps\"; give one of them")
    }
  }
}

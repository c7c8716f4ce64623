import Method

/// The `training` section, in Hugging Face's names where it has one.
package struct TrainingConfiguration: Sendable, Equatable {
  /// What decides which checkpoint is `best`.
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
  package var warmupSteps = 0
  package var warmupRatio: Double?
  package var maxGradientNorm: Double? = 1.0
  package var seed = 0
  package var shuffles = true
  package var evaluationSteps: Int?
  package var saveSteps: Int?
  package var saveTotalLimit: Int?
  package var bestMetric = Metric.accuracy
  package var report = Report.none
}

extension TrainingConfiguration: ConfigurationSection {
  static let keys: [ConfigurationKey<TrainingConfiguration>] = [
    .choice(
      "method", \.method,
      "what is trained: \"cpt\": the context; \"icl\": nothing; \"prompt_tuning\": virtual tokens without a context; "
        + "\"instruction_prompt_tuning\": virtual tokens before a context that stays"),
    .positive("learning_rate", \.learningRate, "step size of the optimiser, before the schedule"),
    .positive("num_train_epochs", \.epochs, "times every training row is seen"),
    .integer("max_steps", \.maxSteps, from: 1, "optimiser steps in all, in place of num_train_epochs"),
    .integer("batch_size", \.batchSize, from: 1, "examples of a batch"),
    .integer(
      "gradient_accumulation_steps", \.accumulationSteps, from: 1,
      "batches that make one optimiser step; batch_size times this is one mathematical batch"),
    .bytes(
      "memory_limit", \.memoryLimit,
      "memory to stay within, by recomputing and by computing fewer examples together; null: 80 % of the machine's"),
    .choice("optim", \.optimizer, "the optimiser"),
    .nonNegative("weight_decay", \.weightDecay, "decoupled for adamw, added to the gradient for sgd"),
    .choice("lr_scheduler_type", \.schedule, "how the learning rate falls after the warm-up"),
    .integer("warmup_steps", \.warmupSteps, from: 0, "steps over which the learning rate rises from 0"),
    .fraction("warmup_ratio", \.warmupRatio, "warm-up as a share of all steps, in place of warmup_steps"),
    .positive("max_grad_norm", \.maxGradientNorm, "gradients longer than this are scaled down to it; null: never"),
    .integer("seed", \.seed, from: 0, "decides splits, context, training rows and their order"),
    .flag("shuffle", \.shuffles, "draw a new order of the training rows for every epoch"),
    .integer(
      "eval_steps", \.evaluationSteps, from: 1, "validate every so many steps, and at the end; null: at the end"),
    .integer("save_steps", \.saveSteps, from: 1, "checkpoint every so many steps, and at the end; null: at the end"),
    .integer("save_total_limit", \.saveTotalLimit, from: 1, "keep only so many newest checkpoints; null: all"),
    .choice("metric_for_best_model", \.bestMetric, "what the best checkpoint is best at, on validation rows"),
    .choice("report_to", \.report, "\"tensorboard\": also write event files, into the run's folder tensorboard/"),
  ]

  func validate(_ origin: ConfigurationOrigin) throws {
    if warmupRatio != nil, warmupSteps > 0 {
      throw origin.error("warmup_ratio", "contradicts \"training.warmup_steps\"; give one of them")
    }
  }
}

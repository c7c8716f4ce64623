import Collectives
import Diagnostics
import Kernels
import Method
import Runs
import System

/// How a run computes its steps and evaluations, and what that takes.
struct Computing {
  let plan: PackPlan
  var evaluator: Evaluator
  /// The cost of an evaluation on the validation rows; nil without any.
  let evaluation: Measurement?
  /// Peak memory of the process in bytes, estimated.
  let bytes: Int
  fileprivate let threads: Int
  fileprivate let ranks: Ranks

  /// What the run records, so that it can go on in the same way.
  var choices: Computation {
    var choices = Computation(
      packExamples: plan.examples, recomputesActivations: plan.retention == .inputs,
      evaluationPackTokens: evaluator.packTokens, threads: threads)
    choices.dataRanks = ranks.data.size > 1 ? ranks.data.size : nil
    choices.tensorRanks = ranks.tensor.size > 1 ? ranks.tensor.size : nil
    return choices
  }
}

/// Chooses how a run computes.
struct ComputingPlanner {
  private let setup: TrainingSetup
  private let step: TrainingStep
  private let examples: [TypedTokens]
  /// The rows that evaluations predict, and those that a classifier head is fitted to.
  private let validation: [EncodedExample]
  private let batches: [[Int]]
  /// The memory that the run may take: the user's limit, or 80 % of what the process may use.
  let limit: Limit

  init(
    _ setup: TrainingSetup, _ step: TrainingStep, examples: [TypedTokens], validation: [EncodedExample],
    batches: [[Int]]
  ) {
    self.setup = setup
    self.step = step
    self.examples = examples
    self.validation = validation
    self.batches = batches
    let available = Memory.available(threads: step.team.threads)
    limit =
      setup.configuration.training.memoryLimit.map { Limit($0, source: "training.memory_limit") }
      ?? Limit(
        available.value / 5 * 4 / setup.ranks.onMachine,
        source: available.source + (setup.ranks.onMachine > 1 ? ", divided among \(setup.ranks.onMachine) ranks" : ""),
        isHard: available.isHard)
  }

  /// The fastest way within the limit. If nothing fits, a limit of the user's or of addresses is an error, and under one of
  /// memory the run takes as little as it can.
  ///
  /// - Throws: `InputError.badData` when nothing fits the limit.
  func fastest() throws -> Computing {
    let largest = setup.configuration.training.batchSize
    // A limit that is too low for evaluations of large packs may be enough for smaller ones.
    for tokens in Evaluator.packSizes {
      let evaluation = try evaluation(packTokens: tokens)
      if let found = planner(evaluation.cost).fastest(within: limit.value, largest: largest) {
        return computing(found, evaluation)
      }
    }
    let evaluation = try evaluation(packTokens: Evaluator.packSizes[Evaluator.packSizes.count - 1])
    let smallest = planner(evaluation.cost).smallest(largest: largest)
    if setup.configuration.training.memoryLimit == nil, !limit.isHard { return computing(smallest, evaluation) }
    throw InputError.badData(
      limit.source,
      "\(limit.isHard ? "leaves" : "is") \(limit.value / 1_000_000) MB; this model with this context takes about \(smallest.bytes / 1_000_000 + 1) MB "
        + "at least; raise the limit or shorten the context")
  }

  /// The fastest way that is within every rank's limit: all of them compute alike.
  ///
  /// - Throws: `InputError.badData` when nothing fits the limit of this rank.
  func fastestOfAllRanks() throws -> Computing {
    let own = try fastest(), all = setup.ranks.all
    if all.size == 1 { return own }
    let found = all.gather([
      own.bytes, own.plan.examples, own.plan.retention == .inputs ? 1 : 0, own.evaluator.packTokens,
    ])
    // What the rank with the least memory can take, all can.
    let smallest = found.reduce(found[0]) { $1[0] < $0[0] ? $1 : $0 }
    return try recorded(
      Computation(
        packExamples: smallest[1], recomputesActivations: smallest[2] == 1, evaluationPackTokens: smallest[3],
        threads: step.team.threads))
  }

  /// The way that a run recorded.
  func recorded(_ choices: Computation) throws -> Computing {
    let evaluation = try evaluation(packTokens: choices.evaluationPackTokens)
    let plan = PackPlan(choices)
    return computing((plan, planner(evaluation.cost).bytes(plan)), evaluation)
  }

  private func evaluation(packTokens: Int) throws -> (evaluator: Evaluator, cost: Measurement?) {
    let evaluator = Evaluator(
      decoder: step.decoder, workspace: step.workspace, team: step.team, ranks: setup.ranks, packTokens: packTokens)
    return (
      evaluator,
      validation.isEmpty
        ? nil
        : try evaluator.measure(
          validation, contextCount: setup.context.count,
          readsStates: setup.configuration.training.method == .head)
    )
  }

  private func planner(_ evaluation: Measurement?) -> PackPlanner {
    PackPlanner(
      step, examples: examples, batches: batches, evaluation: evaluation,
      held: setup.heldBytes(examples + validation.map(\.tokens)))
  }

  private func computing(
    _ found: (plan: PackPlan, bytes: Int), _ evaluation: (evaluator: Evaluator, cost: Measurement?)
  ) -> Computing {
    Computing(
      plan: found.plan, evaluator: evaluation.evaluator, evaluation: evaluation.cost, bytes: found.bytes,
      threads: step.team.threads, ranks: setup.ranks)
  }
}

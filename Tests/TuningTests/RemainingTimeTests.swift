import Runs
import Testing
import Tuning

/// The time left that a run shows.
@Suite struct RemainingTimeTests {
  private func plan(
    from first: Int = 0, total: Int = 10, every interval: Int? = 4, validation: Int = 5
  ) -> TrainingPlan {
    TrainingPlan(
      firstStep: first, totalSteps: total, stepsPerEpoch: 2, warmupSteps: 0, trainingExamples: 4,
      validationExamples: validation, contextTokens: 9, evaluationSteps: interval, mayStopEarly: false)
  }

  private func step(_ step: Int, at time: Double) -> TrainingEvent {
    .step(
      StepMetrics(
        step: step, epoch: 0, loss: 0, labelAccuracy: 0, learningRate: 0, gradientNorm: 0, examplesPerSecond: 0,
        elapsedSeconds: time))
  }

  private func evaluation(_ step: Int, at time: Double) -> TrainingEvent {
    .evaluated(
      EvaluationMetrics(step: step, epoch: 0, loss: 0, accuracy: 0, macroF1: 0, elapsedSeconds: time), isBest: false)
  }

  private func left(_ plan: TrainingPlan, _ events: [TrainingEvent]) -> Double? {
    var remaining = RemainingTime(plan)
    for event in events { remaining.add(event) }
    return remaining.seconds
  }

  /// At steps 4, 8 and 10.
  @Test func evaluationsToComeAreCounted() {
    #expect([0, 3, 4, 7, 8, 9, 10].map { plan().evaluations(after: $0) } == [3, 3, 2, 2, 1, 1, 0])
    #expect([0, 4, 8].map { plan(total: 8).evaluations(after: $0) } == [2, 1, 0])
    #expect(plan(every: nil).evaluations(after: 0) == 1 && plan(validation: 0).evaluations(after: 0) == 0)
    #expect(plan(total: 0).evaluations(after: 0) == 0)
  }

  /// Steps of 1 s, evaluations of 10 s.
  @Test func stepsAndEvaluationsBothTakeTime() {
    #expect(left(plan(), [.started(plan()), evaluation(0, at: 10)]) == nil)
    #expect(left(plan(), [evaluation(0, at: 10), step(1, at: 11)]) == 39.0)
    let four = [evaluation(0, at: 10), step(1, at: 11), step(2, at: 12), step(3, at: 13), step(4, at: 14)]
    // The evaluation of step 4 is still to come.
    #expect(left(plan(), four) == 36.0)
    #expect(left(plan(), four + [evaluation(4, at: 24)]) == 26.0)
    // A resumed run knows no evaluation yet.
    #expect(left(plan(from: 4), [step(5, at: 1)]) == 5.0)
    #expect(left(plan(from: 7), [step(8, at: 1), evaluation(8, at: 11)]) == 12.0)
    #expect(left(plan(validation: 0), [step(1, at: 1), step(2, at: 2)]) == 8.0)
    #expect(left(plan(), [step(10, at: 5), evaluation(10, at: 6)]) == 0.0)
  }
}

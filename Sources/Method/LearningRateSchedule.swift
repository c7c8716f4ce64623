import Glibc

/// How the learning rate changes after the warm-up, with Hugging Face's names.
package enum ScheduleKind: String, CaseIterable, Sendable {
  /// Falls linearly to 0.
  case linear
  /// Falls to 0 along half a cosine period.
  case cosine
  /// Constant, without warm-up.
  case constant
  case constantWithWarmup = "constant_with_warmup"
}

/// The factor on the learning rate at each step, like transformers' `get_scheduler`.
package struct LearningRateSchedule: Sendable {
  let kind: ScheduleKind
  package let warmupSteps: Int
  let totalSteps: Int

  package init(kind: ScheduleKind, warmupSteps: Int, totalSteps: Int) {
    self.kind = kind
    self.warmupSteps = warmupSteps
    self.totalSteps = totalSteps
  }

  /// The factor for step 0, 1, ….
  package func factor(atStep step: Int) -> Double {
    if kind == .constant { return 1 }
    if step < warmupSteps { return Double(step) / Double(max(1, warmupSteps)) }
    let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
    switch kind {
    case .constant, .constantWithWarmup: return 1
    case .linear: return max(0, 1 - progress)
    case .cosine: return max(0, 0.5 * (1 + cos(.pi * progress)))
    }
  }
}

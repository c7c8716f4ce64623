/// The one table of commands, each declared beside what it runs: the parser, the help, the completions and the man page
/// read it.
let commands: [Command] = [
  .initialize, .inspect, .train, .compare, .evaluate, .report, .predict, .generate, .exportPrompt, .help, .completions,
  .man,
]

/// The table of commands, for the parser, the help, the completions and the manual page. Each command is declared in its
/// own file.
let commands: [Command] = [
  .initialize, .inspect, .train, .compare, .evaluate, .report, .predict, .generate, .serve, .exportPrompt, .help,
  .completions,
  .man,
]

/** `threatflow completion bash|zsh`: a script for the shell, made from the commands and flags that there are. */
import type { Command } from "commander";
import { ThreatflowError } from "../errors.js";

const quoted = (words: readonly string[]): string => words.join(" ");
const flagsOf = (c: Command): string[] => c.options.flatMap((o) => [o.short, o.long].filter((f): f is string => Boolean(f)));

export function completionCommand(program: Command): void {
  program
    .command("completion <shell>")
    .description("print a completion script for bash or zsh: source <(threatflow completion bash)")
    .action((shell: string) => {
      if (shell !== "bash" && shell !== "zsh") throw new ThreatflowError("USAGE", `there is no completion for ${shell}`, "bash or zsh");
      process.stdout.write(script(program, shell));
    });
}

function script(program: Command, shell: "bash" | "zsh"): string {
  const cases: string[] = [];
  const add = (path: string, c: Command): void => {
    cases.push(`    "${path}") words="${quoted([...c.commands.map((s) => s.name()), ...flagsOf(c), "--help"])}" ;;`);
    for (const s of c.commands) add(path ? `${path} ${s.name()}` : s.name(), s);
  };
  add("", program);
  return `${shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : ""}_threatflow() {
  local place="" word words i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case " ${quoted(names(program))} " in
      *" $word "*) case $word in -*) ;; *) place="\${place:+$place }$word" ;; esac ;;
    esac
  done
  case "$place" in
${cases.join("\n")}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o filenames -F _threatflow threatflow
`;
}
const names = (c: Command): string[] => [...new Set(c.commands.flatMap((s) => [s.name(), ...names(s)]))];

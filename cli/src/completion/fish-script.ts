import type { CompletedCommand, CompletedFlag, Subject } from './completion-table.js';
import { LISTINGS } from './completion-table.js';

/** Completion for fish. `__a3s_box_on NAME...` holds after the words of a command. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  return `# fish completion for a3s-box; made by 'a3s-box completion fish'
function __a3s_box_on
  set -l words (commandline -opc)
  set -l last (math 1 + (count $argv))
  test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end

function __a3s_box_bare
  test (count (commandline -opc)) -eq 1
end

function __a3s_box_topic
  set -l words (commandline -opc)
  test (count $words) -eq 2; and test "$words[2]" = $argv[1]
end

complete -c a3s-box -f
${commands.map(section).join('\n')}
`;
}

function section(command: CompletedCommand): string {
  const { name, summary, flags, first, others, choices } = command;
  const [word = '', second] = name.split(' ');
  const on = `-n '__a3s_box_on ${name}'`;
  const words = choices.length > 0 ? choices.join(' ') : listing(first);
  const lines = [
    second === undefined
      ? `complete -c a3s-box -n __a3s_box_bare -a ${word} -d ${quote(summary)}`
      : `complete -c a3s-box -n __a3s_box_bare -a ${word}\ncomplete -c a3s-box -n '__a3s_box_topic ${word}' -a ${second} -d ${quote(summary)}`,
    ...flags.map((flag) => `complete -c a3s-box ${on} ${flagOptions(flag)}`),
  ];
  if (words !== undefined) lines.push(`complete -c a3s-box ${on} -a ${quote(words)}`);
  if (first === 'files' || others === 'files') lines.push(`complete -c a3s-box ${on} -F`);
  return lines.join('\n');
}

function listing(subject: Subject): string | undefined {
  return subject === 'boxes' || subject === 'images' ? `(${LISTINGS[subject]})` : undefined;
}

function flagOptions({ spellings, summary, value }: CompletedFlag): string {
  const names = spellings.map((one) => (one.startsWith('--') ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`));
  const taken = value === undefined ? [] : [value === 'files' ? '-rF' : '-x'];
  return [...names, ...taken, '-d', quote(summary)].join(' ');
}

function quote(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}

/** Text of docs/cli-reference.md and of the snapshot of all flags, from the definitions of the commands. */
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { linux } from '../../core/dist/platform/linux.js';
import { HomeLayout } from '../../core/dist/store/home-layout.js';
import { COMMANDS } from '../dist/commands.js';
import type { Command } from '../dist/command.js';
import type { Flag } from '../dist/grammar/flag.js';
import { UNSUPPORTED_FLAGS } from '../dist/unsupported.js';

const root = join(import.meta.dirname, '../..');
export const REFERENCE_FILE = join(root, 'docs/cli-reference.md');
export const SNAPSHOT_FILE = join(root, 'cli/test/snapshots/flags.json');

/** Bytes. The root's own path adds nothing to those below it. */
const LONGEST_HOME = (linux.endpointPathLimit ?? Infinity) - new HomeLayout('/', linux).longestSocketPath;

const INTRODUCTION = `# Command line reference

<!-- Written by cli/scripts/generate-reference.ts from the definitions in cli/src. Do not edit. -->

The grammar is Docker's. Options stand before the image or box and are a3s-box's; all after it is the workload's, also
what looks like an option. \`--\` ends the options and may be left out. Short options may be joined (\`-it\`,
\`-ite A=1\`, \`-m512m\`), values follow after a blank or \`=\`, switches may be turned off with \`--rm=false\`, and the
last of several values counts.`;

const CLOSING = `## Exit statuses

| Status | Meaning |
| --- | --- |
| 0 to 255 | the workload's own |
| 128 + number | the workload, or a3s-box before it, was ended by that signal: 130 after Ctrl-C |
| 124 | the time of \`--timeout\` was over |
| 125 | a3s-box failed; stderr says why |
| 126 | the command was found and cannot be executed |
| 127 | the command was not found |
| 141 | nobody reads a3s-box's output any more |
| 1 | \`-it\` without a terminal, as in Docker |
| 1 | one of the boxes that \`stop\`, \`kill\`, \`rm\`, \`wait\`, \`inspect\`, \`logs\` or \`port\` was given is not there, or not in a state for it; the others were worked on, as in Docker |

## Environment

| Variable | Meaning |
| --- | --- |
| \`A3S_BOX_HOME\` | where images, boxes and state are kept; default \`~/.a3s-box\`; mode 0700, at most ${LONGEST_HOME} bytes long |
| \`A3S_BOX_DISTRIBUTION\` | file that names the plugins to load, used when the supervisor starts; one that runs with another is refused |
| \`A3S_BOX_DEBUG\` | when set, errors are printed with stacks and the supervisor logs more |
| \`A3S_BOX_SUPERVISOR\` | another program in the place of the supervisor; for development |

## Environment files

The file of \`--env-file\` has a \`NAME=VALUE\` a line. \`#\` starts a comment at the beginning of a line only. Values are
taken as they stand: no quotes, no escapes, no trimming. A name alone takes the caller's value where there is one.

## Formats

\`--format json\` prints JSON on one line, of lists a document a line. Everything else is a template in the language of
Go's text/template, as Docker has it. \`table TEMPLATE\` makes a table of it, with heads; columns are parted by tabs, which
may be typed \`\\t\`.

| In a template | |
| --- | --- |
| \`{{.Field}}\`, \`{{.A.B}}\`, \`{{.Label "name"}}\` | a field; one that there is not is an error |
| \`{{if}}\`, \`{{else if}}\`, \`{{else}}\`, \`{{range}}\`, \`{{with}}\`, \`{{end}}\` | blocks |
| \`{{$x := .A}}\`, \`{{range $key, $value := .A}}\`, \`{{$.Name}}\` | variables |
| \`and\`, \`or\`, \`not\`, \`eq\`, \`ne\`, \`lt\`, \`le\`, \`gt\`, \`ge\` | tests |
| \`json\`, \`upper\`, \`lower\`, \`title\`, \`split\`, \`join\`, \`truncate\`, \`pad\`, \`len\`, \`index\`, \`print\`, \`println\`, \`printf\` | functions; \`printf\` knows \`%s\`, \`%v\`, \`%d\`, \`%q\`, \`%t\`, \`%x\`, \`%f\` |
| \`{{- -}}\`, \`{{/* */}}\` | white space taken away, comments |

Anything else, \`define\` or \`break\` for example, is refused by name.

| Command | Fields |
| --- | --- |
| \`ps\` | \`.ID\` \`.Names\` \`.Image\` \`.Command\` \`.CreatedAt\` \`.RunningFor\` \`.State\` \`.Status\` \`.Ports\` \`.Networks\` \`.Labels\` \`.Label "name"\` |
| \`images\` | \`.ID\` \`.Repository\` \`.Tag\` \`.Digest\` \`.Platform\` \`.CreatedAt\` \`.CreatedSince\` \`.Size\` |
| \`inspect\` | those of its JSON |
| \`version\` | \`.Client\`, \`.Server\` (the supervisor; nil where none runs) |
| \`info\` | those of \`info --json\`, with capitals: \`.SupervisorPid\`, \`.Home\`, \`.ChosenBackend\` |

## Filters

\`ps --filter NAME=VALUE\` may be given several times. Boxes have to pass every name; of several values for one name any
will do, but every \`label\` has to be there.

| Filter | Passes |
| --- | --- |
| \`id=PREFIX\` | ids that begin so |
| \`name=PATTERN\` | names that the regular expression is found in |
| \`label=NAME\`, \`label=NAME=VALUE\` | boxes with the label |
| \`status=STATE\` | \`created\`, \`starting\`, \`running\`, \`paused\`, \`stopping\`, \`exited\` or \`dead\`, also without \`-a\` |
| \`exited=STATUS\` | boxes that ended with the exit status; with \`-a\` |
| \`ancestor=IMAGE\` | boxes of the image, by name, digest or id |
| \`before=BOX\`, \`since=BOX\` | boxes made before or after this one |
| \`network=NAME\` | boxes of the network |
| \`publish=PORT[-LAST][/PROTOCOL]\` | boxes for which the host listens on such a port |`;

/** The whole page, as prettier leaves it. */
export async function referencePage(): Promise<string> {
  const families = Map.groupBy(COMMANDS, ({ family }) => family);
  const overview = [...families].map(([family, commands]) => {
    const rows = commands.map(
      ({ name, summary }) => `| [\`a3s-box ${name}\`](#a3s-box-${name.replace(' ', '-')}) | ${summary} |`,
    );
    return `### ${family}\n\n| Command | |\n| --- | --- |\n${rows.join('\n')}`;
  });
  const page = [INTRODUCTION, '## Commands', ...overview, ...COMMANDS.map(section), CLOSING, unsupported()].join(
    '\n\n',
  );
  return format(page, { ...(await resolveConfig(REFERENCE_FILE)), parser: 'markdown' });
}

/** Every command with its flags; a change of interface shows in its diff. */
export function flagSnapshot(): string {
  const commands = COMMANDS.map(({ name, synopsis, minArgs, maxArgs, interspersed, flags }) => [
    name,
    {
      usage: `${name} [OPTIONS] ${synopsis}`.trim(),
      arguments: maxArgs === Infinity ? `${minArgs} or more` : `${minArgs} to ${maxArgs}`,
      interspersed,
      flags: Object.fromEntries(Object.entries(flags).map(([flag, definition]) => [flag, describe(definition)])),
    },
  ]);
  return `${JSON.stringify(Object.fromEntries(commands), null, 2)}\n`;
}

function describe(flag: Flag): object {
  const { kind, char, aliases } = flag;
  if (flag.kind === 'boolean') return { kind, char, aliases };
  return { kind, char, aliases, value: flag.placeholder, default: flag.absent };
}

function section({ name, synopsis, summary, description = [], flags, examples = [] }: Command): string {
  const rows = Object.entries(flags)
    .filter(([, { hidden }]) => !hidden)
    .map(([flag, definition]) => row(flag, definition));
  return [
    `## a3s-box ${name}`,
    `${summary}.`,
    `    a3s-box ${name} [OPTIONS] ${synopsis}`.trimEnd(),
    ...description,
    `| Option | Default | |\n| --- | --- | --- |\n${rows.join('\n')}`,
    ...(examples.length > 0 ? [`\`\`\`sh\n${examples.join('\n')}\n\`\`\``] : []),
  ].join('\n\n');
}

function row(name: string, flag: Flag): string {
  const value = flag.kind === 'boolean' ? '' : ` ${flag.placeholder}`;
  const others = flag.aliases?.map((alias) => `\`--${alias}\`, `).join('') ?? '';
  const spelled = `${flag.char === undefined ? '' : `\`-${flag.char}\`, `}${others}\`--${name}${value}\``;
  const absent = flag.kind === 'boolean' ? 'off' : (flag.absent ?? 'none');
  const repeated = flag.kind === 'list' ? '; may be given several times' : '';
  return `| ${cell(spelled)} | ${cell(absent)} | ${cell(flag.summary + repeated)} |`;
}

function unsupported(): string {
  const rows = UNSUPPORTED_FLAGS.map(({ spelling, commands, reason }) => {
    const spelled = spelling.replaceAll(/[^ ,]+/g, '`$&`');
    return `| ${spelled} | ${commands.join(', ')} | ${cell(reason)} |`;
  });
  return [
    '## Unsupported options',
    'These options of Docker are refused by name, with exit status 125, before anything is done.',
    `| Option | Command | Why |\n| --- | --- | --- |\n${rows.join('\n')}`,
  ].join('\n\n');
}

function cell(content: string): string {
  return content.replaceAll('|', '\\|');
}

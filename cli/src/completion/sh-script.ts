/** Completion for bash and zsh: one algorithm, with what each says in its own way. */
import type { CompletedCommand } from './completion-table.js';
import { LISTINGS } from './completion-table.js';

/**
 * `_a3s_box_command NAME` sets what is known of a command. `_a3s_box_words WORD...` reads the words before the one that
 * is completed (without `a3s-box`) and sets `subject`: commands, flags, boxes, images, files, choices or none.
 */
function common(commands: readonly CompletedCommand[]): string {
  return `_a3s_box_command() {
  flags= valued= filed= first=none others=none choices= interspersed=1
  case $1 in
${commands.map(arm).join('\n')}
  *) return 1 ;;
  esac
}

_a3s_box_words() {
  local name= count=0 word= value=
  subject=commands prefix=
  for word in "$@"; do
    if [[ -n $value ]]; then
      value=
    elif [[ -z $name ]]; then
      name=\${prefix:+$prefix }$word prefix=
      if ! _a3s_box_command "$name"; then
        case $name in
        ${topics(commands).join('|')}) prefix=$name name= ;;
        *) subject=none; return ;;
        esac
      fi
    elif [[ $word == -* && ( $count == 0 || -n $interspersed ) ]]; then
      case " $filed " in *" $word "*) value=files ;; esac
      case " $valued " in *" $word "*) value=none ;; esac
    else
      count=$((count + 1))
    fi
  done
  [[ -n $name ]] || return 0
  if [[ -n $value ]]; then subject=$value
  elif [[ $current == -* && ( $count == 0 || -n $interspersed ) ]]; then subject=flags
  elif [[ $count == 0 ]]; then subject=$first
  else subject=$others
  fi
}
`;
}

function arm({ name, flags, first, others, choices, interspersed }: CompletedCommand): string {
  const spelled = (subject?: string) =>
    flags
      .filter(({ value }) => subject === undefined || value === subject)
      .flatMap(({ spellings }) => spellings)
      .join(' ');
  const assignments = [
    `flags='${spelled()}'`,
    `valued='${spelled('none')}'`,
    `filed='${spelled('files')}'`,
    `first=${choices.length > 0 ? 'choices' : first}`,
    `others=${others}`,
    `choices='${choices.join(' ')}'`,
    ...(interspersed ? [] : ['interspersed=']),
  ];
  return `  '${name}') ${assignments.join(' ')} ;;`;
}

function topics(commands: readonly CompletedCommand[]): string[] {
  return [...new Set(commands.flatMap(({ name }) => (name.includes(' ') ? (name.split(' ', 1)[0] ?? []) : [])))];
}

/** The first words there are, and the second ones of each topic. */
function nextWords(commands: readonly CompletedCommand[]): string {
  const first = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
  const arms = topics(commands).map((topic) => {
    const second = commands.flatMap(({ name }) => (name.startsWith(`${topic} `) ? name.slice(topic.length + 1) : []));
    return `  ${topic}) found='${second.join(' ')}' ;;`;
  });
  return `  case $prefix in
${arms.join('\n')}
  *) found='${[...first, 'help'].join(' ')}' ;;
  esac`;
}

export function bashScript(commands: readonly CompletedCommand[]): string {
  return `# bash completion for a3s-box; made by 'a3s-box completion bash'
${common(commands)}
_a3s_box() {
  local flags valued filed first others choices interspersed subject prefix found= current
  local -a words
  # COMP_WORDS is cut at colons, which names of images have.
  read -ra words <<<"\${COMP_LINE:0:COMP_POINT}"
  if [[ \${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]]; then words+=(''); fi
  current=\${words[\${#words[@]}-1]}
  _a3s_box_words "\${words[@]:1:\${#words[@]}-2}"
  case $subject in
  commands)
${nextWords(commands)} ;;
  flags) found=$flags ;;
  choices) found=$choices ;;
  boxes) found=$(${LISTINGS.boxes}) ;;
  images) found=$(${LISTINGS.images}) ;;
  files) compopt -o default 2>/dev/null; COMPREPLY=(); return ;;
  esac
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$found" -- "$current"))
  # Readline replaces only what stands after the last colon.
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then COMPREPLY=("\${COMPREPLY[@]#"\${current%"\${current##*:}"}"}"); fi
}

complete -F _a3s_box a3s-box
`;
}

export function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef a3s-box
# zsh completion for a3s-box; made by 'a3s-box completion zsh'
${common(commands)}
_a3s_box() {
  local flags valued filed first others choices interspersed subject prefix found= current
  current=\${words[CURRENT]}
  _a3s_box_words "\${(@)words[2,CURRENT-1]}"
  case $subject in
  commands)
${nextWords(commands)} ;;
  flags) found=$flags ;;
  choices) found=$choices ;;
  boxes) found=$(${LISTINGS.boxes}) ;;
  images) found=$(${LISTINGS.images}) ;;
  files) _files; return ;;
  esac
  compadd -- \${=found}
}

# Either sourced, or a file of fpath that is run at the first completion.
if [[ $funcstack[1] == _a3s_box ]]; then _a3s_box "$@"; else compdef _a3s_box a3s-box; fi
`;
}

import { defineCommand } from '../command.js';

export const completion = defineCommand({
  name: 'completion',
  family: 'System',
  summary: 'Print a script that makes a shell complete commands, options, boxes and images',
  description: [
    'For bash: `source <(a3s-box completion bash)`, in ~/.bashrc. For zsh: `source <(a3s-box completion zsh)`, in ~/.zshrc ' +
      'after compinit. For fish: `a3s-box completion fish >~/.config/fish/completions/a3s-box.fish`.',
  ],
  synopsis: 'bash|zsh|fish',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: {},
  load: async () => (await import('../actions/completion.js')).printCompletion,
});

/** The rules of this project, as an oxlint plugin (`.oxlintrc.json`). */
import { relative } from 'node:path';
import { backendNamed, importProblem } from './layers.ts';
import { readWorkspace, type WorkspacePackage } from './workspace.ts';

/** The part of oxlint's plugin interface (that of ESLint) that is used here. */
interface Node {
  readonly type: string;
}
interface StringLiteral extends Node {
  readonly value: unknown;
}
interface Declaration extends Node {
  readonly source: StringLiteral | null;
  readonly importKind?: string;
  readonly exportKind?: string;
}
interface FunctionNode extends Node {
  readonly params: readonly Node[];
  readonly parent: Node & { readonly kind?: string; readonly parent?: Node & { readonly parent?: ClassNode } };
}
interface ClassNode extends Node {
  readonly decorators?: readonly Node[];
}
interface Throw extends Node {
  readonly argument: Node & { readonly callee?: Node & { readonly name?: string } };
}
interface RuleContext {
  readonly filename: string;
  readonly cwd: string;
  report(problem: { readonly node: Node; readonly message: string }): void;
}

const workspaces = new Map<string, readonly WorkspacePackage[]>();

function workspaceOf(root: string): readonly WorkspacePackage[] {
  const workspace = workspaces.get(root) ?? readWorkspace(root);
  workspaces.set(root, workspace);
  return workspace;
}

const layers = {
  meta: { type: 'problem', docs: { description: 'imports go down the layers only' } },
  create(context: RuleContext) {
    const file = relative(context.cwd, context.filename).replaceAll('\\', '/');
    const workspace = workspaceOf(context.cwd);
    const check = (node: Node, source: StringLiteral | null | undefined, typeOnly: boolean): void => {
      if (typeof source?.value !== 'string') return;
      const message = importProblem({ file, specifier: source.value, typeOnly }, workspace);
      if (message !== undefined) context.report({ node, message });
    };
    const ofDeclaration = (node: Declaration): void =>
      check(node, node.source, node.importKind === 'type' || node.exportKind === 'type');
    return {
      ImportDeclaration: ofDeclaration,
      ExportNamedDeclaration: ofDeclaration,
      ExportAllDeclaration: ofDeclaration,
      ImportExpression: (node: Declaration) => check(node, node.source, false),
      TSImportType: (node: Declaration) => check(node, node.source, true),
      Literal(node: StringLiteral) {
        const backend = typeof node.value === 'string' ? backendNamed(file, node.value, workspace) : undefined;
        if (backend === undefined) return;
        context.report({
          node,
          message: `backend '${backend}' is named outside backends/; ask for a capability instead.`,
        });
      },
    };
  },
};

const BUILT_IN_ERRORS = ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'AggregateError'];

const noPlainError = {
  meta: { type: 'problem', docs: { description: 'errors are BoxErrors' } },
  create(context: RuleContext) {
    return {
      ThrowStatement(node: Throw) {
        const name = node.argument.callee?.name;
        if (name === undefined || !BUILT_IN_ERRORS.includes(name)) return;
        context.report({
          node,
          message: `throw a BoxError with a code of core/src/errors/error-table.ts, not ${name}.`,
        });
      },
    };
  },
};

/** Three, and an options object. */
const MAX_PARAMETERS = 4;

const maxParameters = {
  meta: { type: 'suggestion', docs: { description: 'more than three parameters become an options object' } },
  create(context: RuleContext) {
    const check = (node: FunctionNode): void => {
      if (node.params.length <= MAX_PARAMETERS || isInjected(node)) return;
      const message = `${node.params.length} parameters are too many to remember; take at most three and an options object.`;
      context.report({ node, message });
    };
    return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check };
  },
};

/** The container calls the constructors of decorated classes, and nobody else does. */
function isInjected({ parent }: FunctionNode): boolean {
  return parent.kind === 'constructor' && (parent.parent?.parent?.decorators?.length ?? 0) > 0;
}

export default {
  meta: { name: 'a3s-box' },
  rules: { layers, 'max-parameters': maxParameters, 'no-plain-error': noPlainError },
};

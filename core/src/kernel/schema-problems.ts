import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';

/** A validator as ajv compiles it, or as `schema-validators.gen.ts` has it. */
export type Validator = Pick<ValidateFunction, 'errors'> & ((value: unknown) => boolean);

/**
 * Checks a document against its schema.
 *
 * @param root what to call the document itself in a problem, for example `a3sBox`
 * @returns every problem as a phrase that names its place; empty when there is none
 */
export function schemaProblems(validate: Validator, document: unknown, root: string): readonly string[] {
  if (validate(document)) return [];
  // What fails inside a property's name is told by that failure alone, not by its place in the schema again.
  return (validate.errors ?? []).filter(({ keyword }) => keyword !== 'propertyNames').map((e) => describe(e, root));
}

function describe(error: ErrorObject, root: string): string {
  const place = `${root}${placeOf(error.instancePath)}`;
  const params = error.params as Readonly<Record<string, unknown>>;
  switch (error.keyword) {
    case 'additionalProperties':
      return `${place} has an unknown property "${String(params['additionalProperty'])}"`;
    case 'required':
      return `${place} lacks "${String(params['missingProperty'])}"`;
    case 'const':
      return `${place} must be ${JSON.stringify(params['allowedValue'])}`;
    case 'enum':
      return `${place} must be one of ${JSON.stringify(params['allowedValues'])}`;
    case 'pattern':
    case 'oneOf':
      return error.propertyName === undefined
        ? `${place} must be ${expected(error)}`
        : `${place} has a property "${error.propertyName}" whose name is not of the right form`;
    default:
      return `${place} ${error.message ?? `fails "${error.keyword}"`}`;
  }
}

function expected({ parentSchema, message }: ErrorObject): string {
  const description: unknown = parentSchema?.['description'];
  return typeof description === 'string' ? description : `valid: ${message ?? 'see the schema'}`;
}

/** `/provides/0/port` as `.provides[0].port`. */
function placeOf(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) =>
      /^\d+$/.test(step) ? `[${step}]` : /^[\w-]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
    )
    .join('');
}

// Every entry of `examples` in a schema, and in the schemas inside it, must be valid by that schema. Spectral itself
// looks at `example` and `default` only, which JSON Schema 2020-12 has replaced by `examples`.
import { schema as judge } from '@stoplight/spectral-functions';

export default function validExamples(target, _options, context) {
  return [...faults(target, context, context.path)];
}

function* faults(node, context, path) {
  if (node === null || typeof node !== 'object') return;
  if (!Array.isArray(node) && Array.isArray(node.examples)) {
    const { examples, ...rules } = node;
    for (const [index, example] of examples.entries()) {
      const place = [...path, 'examples', index];
      yield* judge(example, { schema: rules, dialect: 'draft2020-12', allErrors: true }, { ...context, path: place }) ?? [];
    }
  }
  for (const [key, value] of Object.entries(node)) {
    if (key !== 'examples' && key !== 'example') yield* faults(value, context, [...path, key]);
  }
}

// What a dashboard's JSON may hold: every property of Grafana's own types, and no other. JSON leaves out what has a
// default, and writes the members of an enumeration as their values.
export type Loose<T> = T extends string
  ? `${T}`
  : T extends number | boolean | null | undefined
    ? T
    : T extends (infer U)[]
      ? Loose<U>[]
      : T extends object
        ? { [K in keyof T]?: Loose<T[K]> }
        : T;

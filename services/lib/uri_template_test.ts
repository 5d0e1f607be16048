import assert from "node:assert/strict";
import * as fc from "fast-check";
import { UriTemplate } from "./uri_template.ts";
import { InvalidPatternError } from "./url_pattern.ts";

/** Templates with expansions and other texts. Most are the examples of RFC 6570, section 3.2. */
const EXPECTED: Readonly<Record<string, { matches: readonly string[]; others: readonly string[] }>> = {
  "https://a.test/books/{id}": {
    matches: [
      "https://a.test/books/1",
      "https://a.test/books/",
      "https://a.test/books/a%20b",
      "https://a.test/books/1,2",
    ],
    others: [
      "https://a.test/books/1/2",
      "https://a.test/books/1?x",
      "https://A.test/books/1",
      "https://a.test/books",
    ],
  },
  "/é/{x}": { matches: ["/é/1", "/%C3%A9/1", "/%c3%a9/1"], others: ["/e/1", "/%C3/1"] },
  "{var}": {
    matches: ["value", "", "Hello%20World%21", "50%25"],
    others: ["a/b", "a b", "é", "%2", "%zz", "a\n"],
  },
  "O{empty}X": { matches: ["OX", "OaX"], others: ["O/X"] },
  "{x,y}": { matches: ["1024,768", "1,2,3", ""], others: ["1;2"] },
  "?{x,empty}": { matches: ["?1024,", "?1024"], others: ["1024"] },
  "{var:3}": {
    matches: ["val", "", "v", "%E6%97%A5ab", "%F0%9F%90%87"],
    others: ["valu", "%E6%97%A5abc", "a,b"],
  },
  "{list*}": { matches: ["red,green,blue", "semi=%3B,dot=."], others: ["a=b/c"] },
  "{+path,x}/here": { matches: ["/foo/bar,1024/here", "/here", "//here"], others: ["/foo/bar"] },
  "{+path:6}/here": { matches: ["/foo/b/here"], others: ["/foo/bar/here"] },
  "X{#var}": { matches: ["X#value", "X", "X#", "X#a/b?c#d"], others: ["Xvalue", "X#a b"] },
  "{#x,hello,y}": { matches: ["#1024,Hello%20World!,768", ""], others: ["1024"] },
  "X{.var}": { matches: ["X.value", "X", "X."], others: ["Xvalue", "X.a/b"] },
  "www{.dom*}": { matches: ["www.example.com", "www", "www.a=b.c=d"], others: ["www/a"] },
  "X{.list}": { matches: ["X.red,green,blue"], others: ["X/red"] },
  "{/var,x}/here": {
    matches: ["/value/1024/here", "/here", "/value/here", "//here"],
    others: ["value/here", "/a/b/c/here"],
  },
  "{/list*,path:4}": { matches: ["/red/green/blue/%2Ffoo", "", "/red/gree"], others: ["red"] },
  "{;x,y}": {
    matches: [";x=1024;y=768", ";x", ";y=1", "", ";x=1,2"],
    others: [";y;x", ";z=1", ";x=", "x=1"],
  },
  "{;list*}": {
    matches: [";list=red;list=green", ";semi=%3B;dot=.", ";list", ""],
    others: ["list=red", ";a=/"],
  },
  "{;hello:5}": { matches: [";hello=Hello", ";hello"], others: [";hello=Hellos"] },
  "{?x,y}": {
    matches: ["?x=1024&y=768", "?x=1024", "?y=768", "?x=", ""],
    others: ["?x", "&x=1", "?y=1&x=1", "?x=1?y=1"],
  },
  "{?list*}": {
    matches: ["?list=red&list=green", "?semi=%3B&dot=.", "?list=", "?a="],
    others: ["?list", "?a=/"],
  },
  "?fixed=yes{&x}": { matches: ["?fixed=yes&x=1024", "?fixed=yes"], others: ["?fixed=yes?x=1"] },
  "{a.b_1}{%41}": { matches: ["12"], others: ["/"] },
};

for (const [template, { matches, others }] of Object.entries(EXPECTED)) {
  Deno.test(`UriTemplate ${template} matches its expansions and nothing else`, () => {
    const uriTemplate = new UriTemplate(template);
    for (const topic of matches) assert.equal(uriTemplate.test(topic), true, topic);
    for (const topic of others) assert.equal(uriTemplate.test(topic), false, topic);
  });
}

Deno.test("UriTemplate takes marks of regular expressions as text", () => {
  const template = new UriTemplate("/a.b+c*(d)?[e]$/{x}");
  assert.equal(template.test("/a.b+c*(d)?[e]$/1"), true);
  assert.equal(template.test("/axbbcc(d)?[e]$/1"), false);
});

const BAD = [
  ...[
    "{",
    "}",
    "{}",
    "{x",
    "x}",
    "{{x}}",
    "{,}",
    "{x,}",
    "{,x}",
    "{x y}",
    "{.}",
    "{+}",
    "{x..y}",
    "{.x.}",
    "{é}",
  ],
  // Operators that are kept for later.
  ...["{=x}", "{!x}", "{@x}", "{|x}", "{$x}"],
  ...["{x:0}", "{x:10000}", "{x:}", "{x:1*}", "{x**}", "{%zz}", "{x%4}"],
  // What no URI holds.
  ...["a {x}", "a|b{x}", "a^{x}", "a%zz{x}", "a<{x}", "a\\{x}", "a`{x}", 'a"{x}'],
];

for (const template of BAD) {
  Deno.test(`UriTemplate refuses ${template}`, () => {
    assert.throws(() => new UriTemplate(template), InvalidPatternError);
  });
}

Deno.test("UriTemplate refuses more than it can test in time", () => {
  const names = Array.from({ length: 41 }, (_, index) => `n${index}`);
  const large = [
    `{${names}}`,
    `{/${names}}`,
    names.map((name) => `{${name}}`).join(""),
    "{a:9999}",
    "{a:51}{b:50}",
  ];
  for (const template of large) assert.throws(() => new UriTemplate(template), /too many variables/);
  const long = "n".repeat(500);
  assert.throws(() => new UriTemplate(`{?${Array.from({ length: 8 }, () => long)}}`), /too long/);
  new UriTemplate("{a:100}");
  new UriTemplate(`{/${names.slice(1)}}`);
});

Deno.test("UriTemplate ends for a long topic", () => {
  const topic = "a".repeat(100_000);
  const templates = [
    "{a}{b}{c}{d}{e}{f}!",
    "{a*}{b*}{c*}{d*}!",
    "{+a,b,c,d,e,f}{+g}{/h}é",
    "{a,b,c,d,e,f,g}!",
  ];
  for (const template of templates) assert.equal(new UriTemplate(template).test(topic), false, template);
});

type Value = string | readonly string[] | Readonly<Record<string, string>> | undefined;
interface Variable {
  readonly value: Value;
  readonly modifier: string;
}

const OPERATORS = ["", "+", "#", ".", "/", ";", "?", "&"] as const;

/** The expansion of one expression, written after RFC 6570, appendix A, as the opposite of what is tested. */
function expand(
  operator: typeof OPERATORS[number],
  variables: readonly (Variable & { readonly name: string })[],
): string {
  const separator =
    { "": ",", "+": ",", "#": ",", ".": ".", "/": "/", ";": ";", "?": "&", "&": "&" }[operator];
  const named = ";?&".includes(operator) && operator !== "";
  const ifEmpty = operator === "?" || operator === "&" ? "=" : "";
  const encode = (text: string) =>
    operator === "+" || operator === "#"
      ? encodeURI(text).replaceAll("%5B", "[").replaceAll("%5D", "]").replace(/%25([\dA-F]{2})/g, "%$1")
      : encodeURIComponent(text).replace(
        /[!'()*]/g,
        (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
      );
  const withName = (name: string, value: string) =>
    named ? `${name}${value === "" ? ifEmpty : `=${value}`}` : value;
  const written = variables.flatMap(({ name, value, modifier }) => {
    if (value === undefined || (typeof value !== "string" && Object.keys(value).length === 0)) return [];
    if (typeof value === "string") {
      const length = modifier.startsWith(":") ? Number(modifier.slice(1)) : Infinity;
      return [withName(name, encode([...value].slice(0, length).join("")))];
    }
    const isList = Array.isArray(value);
    if (modifier !== "*") {
      const flat = isList ? value : Object.entries(value).flat();
      return [withName(name, flat.map(encode).join(","))];
    }
    if (isList) return [value.map((item) => withName(name, encode(item))).join(separator)];
    return [
      Object.entries(value).map(([key, item]) =>
        named ? withName(encode(key), encode(item)) : `${encode(key)}=${encode(item)}`
      ).join(separator),
    ];
  });
  const first = operator === "+" ? "" : operator;
  return written.length === 0 ? "" : first + written.join(separator);
}

const text = fc.string({ unit: fc.constantFrom(..."ab1/,;=&?#. %é日🐇!"), maxLength: 4 });
const key = text.map((value) => `k${value}`);
const variable: fc.Arbitrary<Variable> = fc.oneof(
  fc.record({ value: fc.constant(undefined), modifier: fc.constantFrom("", "*", ":2") }),
  fc.record({ value: text, modifier: fc.constantFrom("", "*", ":2") }),
  fc.record({ value: fc.array(text, { maxLength: 3 }), modifier: fc.constantFrom("", "*") }),
  fc.record({ value: fc.dictionary(key, text, { maxKeys: 3 }), modifier: fc.constantFrom("", "*") }),
);

Deno.test("UriTemplate matches every expansion", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...OPERATORS),
      fc.array(variable, { minLength: 1, maxLength: 4 }),
      (operator, list) => {
        const variables = list.map((item, index) => ({ ...item, name: `n${index}` }));
        const template = `/a{${operator}${variables.map(({ name, modifier }) => name + modifier)}}`;
        const topic = `/a${expand(operator, variables)}`;
        assert.equal(new UriTemplate(template).test(topic), true, `${template} against ${topic}`);
      },
    ),
    { numRuns: 1000 },
  );
});

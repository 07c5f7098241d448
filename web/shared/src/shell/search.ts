// Search parameters as plain text (?status=DELIVERED&client_id=3), so that addresses read like the API's own.
// Spread it into createRouter: createRouter({ ...plainSearch, routeTree }).
export type Search = Record<string, string | undefined>;

export const plainSearch = {
  parseSearch: (text: string): Search => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search: Record<string, unknown>): string => {
    const params = new URLSearchParams();
    for (const [name, value] of Object.entries(search)) {
      if (typeof value === 'string' && value !== '') params.set(name, value);
    }
    const text = params.toString();
    return text ? `?${text}` : '';
  },
};

// Forms: react-hook-form with a zod schema; what the server refuses is shown at its field.
import { zodResolver } from '@hookform/resolvers/zod';
import i18next from 'i18next';
import { useForm, type DefaultValues, type FieldPath, type FieldValues, type UseFormReturn } from 'react-hook-form';
import * as z from 'zod/mini';
import { errorText } from '../api/errorText';
import { ApiError } from '../api/problem';

/** Messages in the user's language for what zod finds. */
type Explain = (issue: z.core.$ZodRawIssue) => string;

const explain: Record<string, Explain> = {
  too_small: (issue) => {
    const min = Number(issue.minimum);
    if (issue.origin !== 'string') return i18next.t('shared:validation.tooSmall', { min });
    return min === 1 ? i18next.t('shared:validation.required') : i18next.t('shared:validation.tooShort', { min });
  },
  too_big: (issue) => {
    const max = Number(issue.maximum);
    return i18next.t(issue.origin === 'string' ? 'shared:validation.tooLong' : 'shared:validation.tooLarge', { max });
  },
  invalid_type: (issue) => {
    if (issue.input === undefined || issue.input === null) return i18next.t('shared:validation.required');
    return i18next.t(issue.expected === 'number' ? 'shared:validation.number' : 'shared:validation.invalid');
  },
  invalid_format: (issue) =>
    i18next.t(issue.format === 'email' ? 'shared:validation.email' : 'shared:validation.invalid'),
};

z.config({ customError: (issue) => explain[issue.code]?.(issue) ?? i18next.t('shared:validation.invalid') });

export function useZodForm<Values extends FieldValues>(
  schema: z.ZodMiniType<Values, Values>,
  defaultValues: DefaultValues<Values>,
): UseFormReturn<Values, unknown, Values> {
  return useForm<Values, unknown, Values>({ resolver: zodResolver(schema), defaultValues, mode: 'onTouched' });
}

/** Puts the server's complaints at their fields, and what belongs to no field of `form` at the form itself (root; of type `stale` after a
 * change by somebody else). */
export function showProblem<Values extends FieldValues>(
  form: UseFormReturn<Values, unknown, Values>,
  error: unknown,
): void {
  const known = Object.keys(form.getValues());
  const rest: string[] = [];
  const errors = error instanceof ApiError ? error.errors : [];
  for (const { field, message } of errors) {
    const name = field.split(/[.[]/)[0] ?? '';
    if (known.includes(name)) form.setError(name as FieldPath<Values>, { type: 'server', message });
    else rest.push(field ? `${field}: ${message}` : message);
  }
  if (errors.length === 0) rest.push(errorText(error));
  else if (rest.length === 0) rest.push(i18next.t('shared:error.invalid'));
  const type = error instanceof ApiError && error.status === 412 ? 'stale' : 'server';
  form.setError('root', { type, message: rest.join('\n') });
}

/** Runs a submission; what it throws is shown in the form. Use with form.handleSubmit. */
export function submitting<Values extends FieldValues>(
  form: UseFormReturn<Values, unknown, Values>,
  submit: (values: Values) => Promise<void>,
): (values: Values) => Promise<void> {
  return async (values) => {
    try {
      await submit(values);
    } catch (error) {
      showProblem(form, error);
    }
  };
}

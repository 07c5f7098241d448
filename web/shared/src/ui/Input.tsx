// Text inputs, text areas, native selects and check boxes in the common look.
import type { ComponentProps } from 'react';
import { cn } from './cn';

/** See styles.css. A component class, so that utilities like w-44 win over it. */
export const controlClass = 'control';

export function Input({ className, ...rest }: ComponentProps<'input'>) {
  return <input {...rest} className={cn(controlClass, className)} />;
}

export function TextArea({ className, ...rest }: ComponentProps<'textarea'>) {
  return <textarea rows={3} {...rest} className={cn(controlClass, className)} />;
}

export interface Option {
  value: string;
  label: string;
}

interface SelectProps extends ComponentProps<'select'> {
  options: Option[];
  /** Text of the empty choice; without it there is none. */
  empty?: string;
}

export function Select({ options, empty, className, ...rest }: SelectProps) {
  return (
    <select {...rest} className={cn(controlClass, 'pr-8', className)}>
      {empty !== undefined && <option value="">{empty}</option>}
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}

interface CheckboxProps extends Omit<ComponentProps<'input'>, 'type'> {
  label: string;
  /** The label is for screen readers only (in tables). */
  hideLabel?: boolean;
}

export function Checkbox({ label, hideLabel, className, ...rest }: CheckboxProps) {
  return (
    <label className={cn('inline-flex min-h-6 items-center gap-2', className)}>
      <input {...rest} type="checkbox" className="size-4 shrink-0 accent-accent" />
      <span className={hideLabel ? 'sr-only' : undefined}>{label}</span>
    </label>
  );
}

/* A restricted unpickler: pickle bytes to plain values, and nothing else.
 *
 * It knows the opcodes that torch.save writes (pickle protocols 2 to 5). Names (GLOBAL) stay
 * names; what would call something (REDUCE, NEWOBJ) yields an object value that records maker and
 * arguments, with one exception: collections.OrderedDict() is a dictionary. What would fill an
 * object (BUILD, SETITEMS, APPENDS) is dropped. Nothing is imported, called or executed, there is
 * no recursion, and a memo reference costs one pointer however large what it names. */
#ifndef GWF_MODEL_PICKLE_H
#define GWF_MODEL_PICKLE_H

#include "model/value.h"

/* Read one pickle into the arena; *root is its value. bytes are borrowed and must outlive values;
 * values->limits bound the cost; the caller frees values, also after a failure.
 * Errors: FORMAT (names opcode and byte offset), MEMORY. */
gwf_status gwf_pickle_read(const void *bytes, size_t size, gwf_values *values,
                           const gwf_value **root, gwf_error *err);

#endif

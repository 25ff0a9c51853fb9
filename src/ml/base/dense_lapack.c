#include "ml/base/dense.h"
